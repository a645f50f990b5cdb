"""Whatever may happen in one session, at random, and what a client makes of it by the client rule."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from chat_service.schema import Role
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.sessions.calls import agent_ref

SUMMARY: Final = (
    "version",
    "status",
    "assignee",
    "message_count",
    "last_message",
    "last_activity_at",
)
FIELDS: Final = ("subject", "priority", "tags", "closed_reason", "closed_at")
"""What only events of the session change, and carry whole; customers see some of it."""


@dataclass
class Cast:
    """Who acts in a session."""

    customer: Person
    bob: Person
    boss: Person
    session: Json
    random: Random
    said: list[tuple[Person, str]] = field(default_factory=list)
    """Every message with its author, notes too."""

    @classmethod
    async def of(cls, workspace: Workspace, random: Random) -> "Cast":
        """A new session, as it was created."""
        customer = await workspace.customer()
        session = (await customer.start(None))["session"]
        boss = await workspace.agent(Role.ADMIN)
        return cls(customer, await workspace.agent(), boss, session, random)

    async def act(self) -> None:
        """Something that may happen; some of it is refused."""
        path, somebody = f"/v1/sessions/{self.session['id']}", self.random.choice(
            [self.bob, self.boss]
        )
        fields = {"tags": [self.random.choice("abc")], "subject": self.random.choice(["x", "y"])}
        acts: list[Callable[[], Awaitable[object]]] = [
            lambda: self.say(self.customer),
            lambda: self.say(self.customer),
            lambda: self.say(self.boss),
            lambda: self.say(self.boss, visibility="internal"),
            self.edit,
            self.delete,
            lambda: self.bob.post(f"{path}/claim"),
            lambda: self.boss.post(f"{path}/assign", {"assignee": agent_ref(somebody)}),
            lambda: self.boss.post(f"{path}/close"),
            lambda: self.boss.post(f"{path}/reopen"),
            lambda: self.boss.call("PATCH", path, json=fields),
            lambda: self.boss.call("PATCH", path, json={"tags": ["d"]}),
        ]
        await self.random.choice(acts)()

    async def act_often(self, times: int) -> None:
        """One thing after the other."""
        for _ in range(times):
            await self.act()

    async def say(self, person: Person, **fields: Any) -> None:
        """One more message."""
        sent = await person.send(self.session["id"], **fields)
        if sent.status_code == 201:
            self.said.append((person, sent.json()["message"]["id"]))

    async def edit(self) -> None:
        """Other words for one of them, by its author."""
        if self.said:
            author, message_id = self.random.choice(self.said)
            words = {"content": {"type": "text", "text": f"Words {self.random.random()}"}}
            await author.call("PATCH", self._path(message_id), json=words)

    async def delete(self) -> None:
        """One of them fewer."""
        if self.said:
            await self.boss.call("DELETE", self._path(self.random.choice(self.said)[1]))

    def _path(self, message_id: str) -> str:
        return f"/v1/sessions/{self.session['id']}/messages/{message_id}"


@dataclass
class Fold:
    """What a client knows of a session: the resources it was told, each in its highest version."""

    session: Json
    messages: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Json) -> "Fold":
        """Begun with a snapshot."""
        return cls(snapshot["session"], {each["id"]: each for each in snapshot["messages"]})

    def apply(self, event: Json) -> None:
        """Take one event, which is the next one."""
        for session in (event["data"].get("session"), event["session"]):
            if session and session["version"] >= self.session["version"]:
                self.session = self.session | session
        message = event["data"].get("message")
        if message and message["version"] >= self.messages.get(message["id"], message)["version"]:
            self.messages[message["id"]] = message

    def shown(self) -> tuple[Json, dict[str, Json]]:
        """What is compared: all but the values of state, which no event carries."""
        known = {name: self.session.get(name) for name in (*SUMMARY, *FIELDS)}
        return known, self.messages
