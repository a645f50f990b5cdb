"""Promise 52: whatever happens, everybody's list ends as a new list would show it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

import pytest

from chat_service.schema import Permission, Role
from chat_service.test.agents.staffing import agent_with, new_team
from chat_service.test.backends import count
from chat_service.test.builders import Json, Person, Workspace, unique
from chat_service.test.realtime.list_client import UNCLOSED, Console, Socket, connected, until
from chat_service.test.realtime.rewinds import Rewind
from chat_service.test.sessions.calls import agent_ref

ACTS: Final = count(40, many=60)
SEEDS: Final = range(count(1, many=3))


@dataclass
class Cast:
    """Who acts, and on what."""

    admin: Person
    agents: list[Person]
    customers: list[Person]
    teams: list[str]
    sessions: dict[str, Person]
    """Each session with its customer."""

    @classmethod
    async def of(cls, workspace: Workspace) -> "Cast":
        """People of a workspace, and some sessions they begin with."""
        admin = await workspace.agent(Role.ADMIN)
        bound = await agent_with(workspace, admin, Permission.SESSIONS_READ_TEAM)
        agents = [await workspace.agent(), await workspace.agent(), bound]
        cast = cls(
            admin,
            agents,
            [await workspace.customer() for _ in range(5)],
            [await new_team(admin, agents[0], bound), await new_team(admin, agents[1])],
            {},
        )
        for customer in cast.customers:
            await cast.begin(customer)
        return cast

    async def begin(self, customer: Person) -> None:
        """One more session, if the customer may have one."""
        response = await customer.post("/v1/sessions", {"client_session_id": unique()})
        if response.status_code == 201:
            self.sessions[response.json()["session"]["id"]] = customer

    async def act(self, random: Random) -> None:
        """Something that may happen; some of it is refused."""
        session_id = random.choice(list(self.sessions))
        customer, agent = self.sessions[session_id], random.choice(self.agents)
        path = f"/v1/sessions/{session_id}"
        to_somebody = {"assignee": agent_ref(random.choice([*self.agents, self.admin]))}
        tags = {"tags": [random.choice(["late", "refund"])]}
        team = {"team_id": random.choice([*self.teams, None])}
        member = f"/v1/teams/{random.choice(self.teams)}/members/{agent.id}"
        acts: list[Callable[[], Awaitable[object]]] = [
            lambda: self.begin(random.choice(self.customers)),
            lambda: customer.send(session_id),
            lambda: customer.send(session_id),
            lambda: agent.send(session_id),
            lambda: self.admin.send(session_id, visibility="internal"),
            lambda: agent.post(f"{path}/claim"),
            lambda: self.admin.post(f"{path}/assign", to_somebody),
            lambda: self.admin.post(f"{path}/close"),
            lambda: customer.post(f"{path}/close"),
            lambda: self.admin.post(f"{path}/reopen"),
            lambda: self.admin.call("PATCH", path, json=tags),
            lambda: self.admin.call("PATCH", path, json=team),
            lambda: self.admin.call("PATCH", path, json=team),
            lambda: self.admin.call("PUT", member),
            lambda: self.admin.call("DELETE", member),
        ]
        await random.choice(acts)()


class Watcher:
    """A console that loses its connection now and then, and lists again where it has to."""

    def __init__(self, workspace: Workspace, person: Person, view: str, window: int) -> None:
        self.console = Console(person, view, window)
        self._workspace = workspace
        self._stack = AsyncExitStack()
        self._following: asyncio.Task[None] | None = None
        self._listing: asyncio.Future[None] | None = None

    async def begin(self, *, anew: bool) -> None:
        """Connect, and go on from the cursor or with a new list.

        There is no cursor where the last connection was lost in the middle of beginning anew.
        """
        if anew or not self.console.cursor:
            await self.console.list()
        person, service = self.console.person, self._workspace.service
        socket = await self._stack.enter_async_context(connected(service, person))
        assert (await self.console.subscribe(socket))["op"] == "subscribed"
        self._following = asyncio.create_task(self._follow(socket))

    @property
    def is_cut(self) -> bool:
        """Whether the service has closed the connection, as for other rights."""
        if self._following is None or not self._following.done():
            return False
        self._following.result()  # which raises what went wrong
        return True

    async def _follow(self, socket: Socket) -> None:
        while await self.console.follow(socket):
            self.console.cursor = ""
            self._listing = asyncio.ensure_future(self.console.list())
            await asyncio.shield(self._listing)
            if (await self.console.subscribe(socket))["op"] == "goodbye":
                return

    async def end(self) -> None:
        """Lose the connection; what was applied is kept, with its cursor.

        A list that is asked for is waited for: a request that is cut off in the middle of a read
        costs the service a connection to its database, which is not what is tested here.
        """
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self._listing is not None:
            await self._listing
        await self._stack.aclose()

    async def settled(self) -> None:
        """Wait until it shows what a new list would."""
        page = {session["id"]: session for session in (await self.console.page())["data"]}
        await until(lambda: self.console.sessions == page or self.is_cut)
        if self.is_cut:
            await self.again()
            await self.settled()

    async def again(self) -> None:
        """Come again after the service has closed."""
        await self.end()
        await self.begin(anew=False)


@dataclass
class Poller:
    """An integration that reads the changes of a view by pages of its own size."""

    person: Person
    view: str
    limit: int
    sessions: dict[str, Json]
    cursor: str

    @classmethod
    async def of(cls, person: Person, view: str, limit: int) -> "Poller":
        """One that has listed."""
        poller = cls(person, view, limit, {}, "")
        await poller.list()
        return poller

    async def list(self) -> None:
        """Begin with a list."""
        self.sessions, self.cursor = await self.page()

    async def page(self) -> tuple[dict[str, Json], str]:
        """The whole view as it is now, and where the log stands."""
        params = {"view": self.view, "status": UNCLOSED, "limit": 200}
        page = (await self.person.get("/v1/sessions", params=params)).json()
        return {session["id"]: session for session in page["data"]}, page["feed_cursor"]

    async def read(self, pages: int) -> bool:
        """Read on; whether the end was reached."""
        for _ in range(pages):
            params = {"after": self.cursor, "view": self.view, "limit": self.limit}
            response = await self.person.get("/v1/sessions/changes", params=params)
            if response.status_code in (409, 410):
                await self.list()
                continue
            page = response.json()
            for session in page["changed"]:
                self.sessions[session["id"]] = session
            for session_id in page["removed"]:
                self.sessions.pop(session_id, None)
            self.cursor = page["next_cursor"]
            if not page["has_more"]:
                return True
        return False


@pytest.mark.conformance(52)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("set_back", [False, True], ids=["forwards", "set back"])
async def test_list_shows_final_state_after_random_history(
    workspace: Workspace, seed: int, set_back: bool
) -> None:
    random = Random(seed)
    cast = await Cast.of(workspace)
    key = await workspace.key([Permission.SESSIONS_READ_UNASSIGNED])
    watchers = [
        Watcher(workspace, reader, view, window)
        for reader, followed in (
            (cast.admin, (("all", 50), ("mine", 2), ("unassigned", 3), ("team", 2))),
            (cast.agents[0], (("all", 50), ("all", 2), ("team", 2))),
            (cast.agents[1], (("all", 2), ("mine", 2), ("unassigned", 3))),
            (cast.agents[2], (("all", 2), ("mine", 50), ("unassigned", 3), ("team", 50))),
            (key, (("all", 50), ("all", 2))),
        )
        for view, window in followed
    ]
    pollers = [
        await Poller.of(reader, view, limit)
        for reader, view, limit in (
            (cast.admin, "all", 1),
            (cast.agents[0], "all", 2),
            (cast.agents[1], "mine", 50),
            (cast.agents[2], "team", 2),
            (key, "all", 3),
        )
    ]
    for watcher in watchers:
        await watcher.begin(anew=True)
    rewind = None
    for number in range(ACTS):
        if set_back and number == ACTS // 3:
            rewind = await Rewind.note(workspace)
        if rewind is not None and number == ACTS // 2:
            await rewind.do()
            known = {str(session.id) for session in rewind.sessions}
            cast.sessions = {one: whose for one, whose in cast.sessions.items() if one in known}
        await cast.act(random)
        for watcher in watchers:
            if watcher.is_cut:
                await watcher.again()
        if random.random() < 0.3:
            await random.choice(pollers).read(random.randint(1, 3))
        if random.random() < 0.2:
            watcher = random.choice(watchers)
            await watcher.end()
            await watcher.begin(anew=random.random() < 0.2)
    try:
        for watcher in watchers:
            await watcher.settled()
    finally:
        for watcher in watchers:
            await watcher.end()
    for poller in pollers:
        while not await poller.read(1):
            pass
        assert poller.sessions == (await poller.page())[0]
