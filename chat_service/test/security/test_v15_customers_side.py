"""V15: nothing that is the staff's own reaches a customer, whatever he asks, sees or is refused.

GHSA-q7rx-w656-fwmv: who was notified was told to others. The numbers of the staff's log alone are
looked for in `realtime.test_hidden_numbers` too, and single words in `views.test_customers`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import httpx2
import pytest

from chat_service.app import Service
from chat_service.schema import Role, Status
from chat_service.test.addresses import BODIES, Stage, addresses, build_stage, who_of
from chat_service.test.agents.lives import email_of
from chat_service.test.agents.staffing import give_to
from chat_service.test.builders import Json, Person, build_workspace, unique
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address, Socket
from chat_service.test.realtime.test_hidden_numbers import streamed
from chat_service.test.rows import put_to_rest
from chat_service.test.sessions.calls import act
from chat_service.test.views.test_customers import (
    STAFF_NUMBER,
    all_of,
    lift_staff_numbers,
    looks,
    stumbles,
)
from chat_service.web import Who

pytestmark = pytest.mark.timeout(120)
ONCE: Final = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
SENTINEL: Final = "the last words"
LAST: Final = ("POST /v1/sessions/{session_id}/close", "POST /v1/auth/sign-out")
COMING: Final = ("POST /v1/inboxes/{inbox_key}/customers", "POST /v1/auth/token")
"""Where who is nobody yet becomes a customer; at the other public ones he becomes somebody else."""
HIDDEN: Final = (
    "e-mails of agents",
    "who only wrote notes",
    "who only read",
    "notes",
    "internal events",
    "tags",
    "attributes",
    "metadata",
    "team",
    "role",
    "priority",
    "reason",
    "another customer",
    "who did what",
)


def word() -> str:
    """One that nothing else contains."""
    return f"canary-{unique()}"


@dataclass
class Scene:
    """A chat, what its customer was told by everything there is, and what he must not be."""

    stage: Stage
    holder: Person
    mate: Person
    other: str = ""
    """A customer who has a chat of his own."""
    note: str = ""
    seen: list[str] = field(default_factory=list)
    by_staff: str = ""
    hidden: dict[str, set[str]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The address of the chat."""
        return f"/v1/sessions/{self.stage.session_id}"

    async def change(self, person: Person, body: Json) -> None:
        """Change something of the chat that staff alone see."""
        answer = await person.call("PATCH", self.path, json=body)
        assert answer.is_success, answer.text


async def set_up(service: Service, client: httpx2.AsyncClient) -> Scene:
    """People whose names tell who they are."""
    workspace = await build_workspace(service, client)
    stage = await build_stage(workspace)
    stage.agent = await workspace.agent(Role.OWNER, word())
    holder, mate = await workspace.agent(), await workspace.agent(Role.ADMIN, word())
    other = await workspace.customer(word())
    await lift_staff_numbers(workspace, stage.session_id)
    await act(holder, stage.session_id, "claim")
    scene = Scene(stage, holder, mate, other.id)
    shown = (await stage.agent.get(f"/v1/customers/{other.id}")).json()["customer"]
    begun = (await other.start(word()))["session"]["id"]
    scene.hidden |= {
        "e-mails of agents": {email_of(each) for each in (stage.agent, holder, mate)},
        "who only wrote notes": {stage.agent.id, stage.agent.details["agent"]["display_name"]},
        "who only read": {mate.id, mate.details["agent"]["display_name"]},
        "another customer": {other.id, shown["name"], begun},
    }
    return scene


async def work(scene: Scene, desk: Socket) -> None:
    """All that staff do among themselves, and now and then for the customer."""
    boss, stage, hidden = scene.stage.agent, scene.stage, scene.hidden
    texts, tag, name, value, meta = [word(), word()], word(), word(), word(), word()
    internal: Json = {"is_typing": True, "visibility": "internal"}
    await desk.say(op="typing", session_id=stage.session_id, **internal)
    await boss.post(f"{scene.path}/typing", internal)
    sent = await boss.send(stage.session_id, texts[0], visibility="internal")
    note, scene.by_staff = sent.json()["message"], sent.text
    scene.note = note["id"]
    edit = {"content": {"type": "text", "text": texts[1]}}
    assert (await boss.call("PATCH", f"{scene.path}/messages/{note['id']}", json=edit)).is_success
    await desk.say(op="read", session_id=stage.session_id, read_seq=note["seq"])
    team = (await boss.post("/v1/teams", {"name": word()})).json()["team"]
    role = (await boss.post("/v1/roles", {"name": word(), "permissions": []})).json()["role"]
    await give_to(boss, stage.session_id, team["id"])
    await scene.change(boss, {"tags": [tag], "priority": "urgent"})
    await scene.change(boss, {"custom_attributes": {name: value}})
    await scene.holder.send(stage.session_id, "Hello")
    key = await stage.workspace.key()
    await key.send(stage.session_id, "Hello", metadata={meta: word()})
    for status in (Status.PENDING, Status.SNOOZED):
        await put_to_rest(stage.workspace, stage.session_id, status)
        scene.seen += map(all_of, await looks(stage.customer, stage.session_id))
    await stage.customer.send(stage.session_id)
    await act(boss, stage.session_id, "close", {"reason": "spam"})
    await act(boss, stage.session_id, "reopen")
    await act(scene.holder, stage.session_id, "claim")
    hidden |= {
        "notes": {*texts, note["id"]},
        "tags": {tag},
        "attributes": {name, value},
        "metadata": {meta},
        "team": {team["id"], team["name"]},
        "role": {role["role_id"], role["name"]},
        "priority": {'"urgent"'},
        "reason": {'"spam"'},
    }


async def be_told(scene: Scene, address: Address) -> None:
    """Let the customer listen to all of it, by a socket, a stream and a long-poll."""
    customer, session_id = scene.stage.customer, scene.stage.session_id
    async with address.socket(customer) as phone, address.socket(scene.mate) as desk:
        stream = asyncio.create_task(streamed(address, customer, session_id, SENTINEL))
        await phone.follow(session_id)
        await desk.follow(session_id)
        poll = asyncio.create_task(customer.get(f"{scene.path}/events?after_seq=3&wait=20"))
        await work(scene, desk)
        await scene.holder.send(session_id, SENTINEL)
        last = (await customer.events(session_id, limit=500))[-1]
        await phone.until_seq(session_id, last["seq"])
        scene.seen += [json.dumps([phone.events, phone.heard]), await stream, all_of(await poll)]
        whole = await scene.mate.events(session_id, limit=500)
        await desk.until_seq(session_id, whole[-1]["seq"])
        noted = await desk.until("ephemeral")
        assert noted["data"] == {"visibility": "internal"}, "nobody typed a note"
    async with address.socket(customer) as late:
        await late.ask("subscribe", stream=f"session:{session_id}", snapshot={"messages": 200})
        scene.seen.append(json.dumps([await late.until("snapshot"), late.heard]))


async def ask_everything(scene: Scene) -> None:
    """Every address that is no page, by the customer: what he may and what he may not."""
    stage = scene.stage
    places = [each for each in addresses() if Who.PUBLIC not in who_of(each) or each in COMING]
    for address in sorted(places, key=lambda each: (each in LAST, each)):
        body = BODIES[address](stage) if address in BODIES else None
        answer = await stage.call(address, caller="customer")
        scene.seen.append(all_of(answer))
        if body is not None and "{session_id}" in address:
            wrong = {"reply_to_id": scene.note, "visibility": "internal"}
            scene.seen.append(
                all_of(await stage.call(address, caller="customer", json=body | wrong))
            )


async def read_as_staff(scene: Scene) -> None:
    """What there was to hide, as who may know it reads it."""
    boss, stage = scene.stage.agent, scene.stage
    answers = await looks(boss, stage.session_id)
    paths = ["/v1/agents", "/v1/teams", "/v1/roles", f"/v1/customers/{scene.other}"]
    paths.append("/v1/audit-entries?limit=200")
    answers += [await boss.get(path) for path in paths]
    scene.by_staff += "".join(map(all_of, answers))
    events = await boss.events(stage.session_id, limit=500)
    internal = [event for event in events if event["public_seq"] is None]
    scene.hidden["internal events"] = {
        text for event in internal for text in (event["id"], event["cursor"])
    }
    scene.hidden["who did what"] = {each["id"] for each in answers[-1].json()["data"]}


@pytest.fixture(scope="module")
async def scene(service: Service) -> AsyncIterator[Scene]:
    """A chat that was talked about, and all that its customer was told."""
    async with client_of(service) as client, served(service) as address:
        scene = await set_up(service, client)
        await be_told(scene, address)
        await read_as_staff(scene)
        answers = await looks(scene.stage.customer, scene.stage.session_id)
        scene.seen += map(all_of, answers)
        refused = await stumbles(scene.stage.customer, scene.stage.session_id, scene.note)
        scene.seen += [all_of(each).replace(f"/messages/{scene.note}", "") for each in refused]
        await ask_everything(scene)
        yield scene


@ONCE
@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
@pytest.mark.parametrize("what", HIDDEN)
def test_a_customer_is_told_nothing_of_what_is_the_staffs_own(scene: Scene, what: str) -> None:
    words = scene.hidden[what]
    assert words and [each for each in words if each not in scene.by_staff] == []
    assert [each for each in words if any(each in text for text in scene.seen)] == []


@ONCE
@pytest.mark.asvs("15.3.1")
@pytest.mark.api_top10("API3")
def test_a_customer_is_told_no_number_of_the_staff(scene: Scene) -> None:
    assert len(set(STAFF_NUMBER.findall(scene.by_staff))) == 3
    assert [STAFF_NUMBER.findall(text) for text in scene.seen if STAFF_NUMBER.search(text)] == []


@ONCE
@pytest.mark.parametrize("sign", ["internal", "snoozed", "pending", "read_by", "participants"])
def test_a_customer_is_not_told_that_there_is_something_he_is_not_told(
    scene: Scene, sign: str
) -> None:
    assert [text for text in scene.seen if f'"{sign}"' in text] == []


@ONCE
def test_everything_that_is_hidden_was_looked_for_in_what_was_told(scene: Scene) -> None:
    assert set(scene.hidden) == set(HIDDEN)
    told = [text for text in scene.seen if SENTINEL in text]
    assert len(told) > 5, "the socket, the stream, the snapshot and pages"
