"""What reaches a customer holds no number of the staff's log and no trace of what is internal."""

import base64
import re
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from chat_service.model import ChatSession, FeedHead
from chat_service.schema import Role, Status
from chat_service.test.builders import Json, Person, Workspace, message, unique, writing
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row, put_to_rest
from chat_service.test.sessions.calls import act, waiting

SEQ, VERSION, POS = 73_400_000, 86_500_000, 91_200_000
STAFF_NUMBER = re.compile(r"(?<![0-9a-fA-F])(7340|8650|9120)\d{4}(?![0-9a-fA-F])")


@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
async def test_of_staff_a_customer_knows_who_wrote_to_him_and_no_more(
    workspace: Workspace,
) -> None:
    customer, bob, admin = (
        await workspace.customer(),
        await workspace.agent(),
        await workspace.agent(Role.ADMIN),
    )
    session_id = (await customer.start())["session"]["id"]
    await act(bob, session_id, "claim")
    await bob.send(session_id, "Hello")
    await act(admin, session_id, "close")
    seen = await customer.events(session_id)
    assert {(event["type"], event["actor"]["type"], event["actor"]["id"]) for event in seen} == {
        ("message.created", "customer", customer.id),
        ("session.assigned", "agent", None),
        ("participant.joined", "agent", None),
        ("message.created", "agent", bob.id),
        ("session.closed", "agent", None),
    }
    assert all(event["actor"]["id"] for event in await admin.events(session_id))


async def lift_staff_numbers(workspace: Workspace, session_id: str) -> None:
    """Let all that only staff count be far above what a customer counts, and easy to find."""
    await change_row(workspace, ChatSession, session_id, last_seq=SEQ, version=VERSION)
    head = update(FeedHead).where(FeedHead.workspace_id == workspace.id)
    async with writing(workspace.service) as db:
        await db.execute(head.values(pos=POS))


async def looks(customer: Person, session_id: str) -> list[httpx2.Response]:
    """Everything a customer can read of a session."""
    path = f"/v1/sessions/{session_id}"
    requests: list[tuple[str, dict[str, Any]]] = [
        (path, {}),
        ("/v1/sessions", {}),
        ("/v1/sessions", {"limit": 1, "sort": "created_at"}),
        ("/v1/sessions", {"limit": 1, "sort": "-last_activity_at"}),
        ("/v1/sessions", {"status": "open,queued,closed"}),
        (f"{path}/messages", {}),
        (f"{path}/messages", {"before_seq": 3, "limit": 1}),
        (f"{path}/messages", {"after_seq": 0, "limit": 1}),
        (f"{path}/messages", {"around_seq": 2, "limit": 2}),
        (f"{path}/events", {}),
        (f"{path}/events", {"limit": 1}),
        (f"{path}/events", {"after_seq": 1}),
    ]
    for sent in await customer.messages(session_id):
        requests.append((f"{path}/messages/{sent['id']}", {}))
    return [await customer.get(path, params=params) for path, params in requests]


async def stumbles(customer: Person, session_id: str, hidden: str) -> list[httpx2.Response]:
    """What a customer is refused, about the session and about a note in it."""
    path = f"/v1/sessions/{session_id}"
    mine = f"{path}/messages/{(await customer.messages(session_id))[0]['id']}"
    words = {"content": {"type": "text", "text": "x"}}
    reply = message(reply_to_id=hidden)
    wrong = {"If-Match": '"s0"'}
    return [
        await customer.get(f"{path}/events", params={"after_seq": 10**9}),
        await customer.get(f"{path}/events", params={"after": "c1.p.1.00000000"}),
        await customer.get(f"{path}/events", params={"after": "c1.s.1.00000000"}),
        await customer.get(f"{path}/messages/{hidden}"),
        await customer.call("PATCH", f"{path}/messages/{hidden}", json=words),
        await customer.call("DELETE", f"{path}/messages/{hidden}"),
        await customer.call("PATCH", mine, json=words, headers=wrong),
        await customer.call("PATCH", path, json={"subject": "x"}),
        await customer.post(f"{path}/messages", reply),
        await customer.post(f"{path}/claim"),
        await customer.get("/v1/events"),
    ]


def all_of(response: httpx2.Response) -> str:
    """Headers and body, and what cursors of lists hold inside."""
    told = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    cursors = re.findall(r'_cursor":"([A-Za-z0-9_-]+)"', response.text)
    inside = [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode() for text in cursors]
    return "\n".join([told, response.text, *inside])


async def live(customer: Person, admin: Person, session_id: str) -> list[httpx2.Response]:
    """All that a customer can do with a session, while staff work on it."""
    path = f"/v1/sessions/{session_id}"
    start: Json = {"mode": "resume_or_create", "client_session_id": unique()}
    again = message("Twice")
    answers = [await customer.post("/v1/sessions", {**start, "initial_message": message()})]
    await admin.call("PATCH", path, json={"subject": "Late", "priority": "high"})
    await act(admin, session_id, "claim")
    answers += [await customer.post(f"{path}/messages", again) for _ in range(2)]
    mine = f"{path}/messages/{answers[-1].json()['message']['id']}"
    words = {"content": {"type": "text", "text": "Changed"}}
    answers.append(await customer.call("PATCH", mine, json=words))
    await admin.send(session_id, "Words")
    answers.append(await customer.call("DELETE", mine))
    answers += [await customer.post(f"{path}/close") for _ in range(2)]
    answers.append(await customer.send(session_id, "Once more"))
    answers.append(await customer.post("/v1/sessions", start))
    assert [answer.status_code for answer in answers if answer.status_code >= 400] == []
    return answers


async def test_the_numbers_looked_for_are_there_for_staff(workspace: Workspace) -> None:
    """Else the test of what customers are told would be blind."""
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await lift_staff_numbers(workspace, session_id)
    await customer.send(session_id)
    read = "".join(all_of(answer) for answer in await looks(admin, session_id))
    assert set(STAFF_NUMBER.findall(read)) == {"7340", "8650", "9120"}


@pytest.mark.conformance(58)
async def test_internal_notes_leave_no_trace_in_public_seq_or_timestamps(
    workspace: Workspace, clock: TurningClock
) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await act(admin, session_id, "claim")
    before = [steady(answer) for answer in await looks(customer, session_id)]
    clock.turn(minutes=5)
    await work_in_silence(workspace, admin, session_id)
    after = [steady(answer) for answer in await looks(customer, session_id)]
    assert after == before


async def work_in_silence(workspace: Workspace, admin: Person, session_id: str) -> None:
    """All that staff can do with a session without its customer noticing."""
    path = f"/v1/sessions/{session_id}"
    kept = [(await admin.send(session_id, visibility="internal")).json()["message"]]
    kept += [(await admin.send(session_id, visibility="internal")).json()["message"]]
    words = {"content": {"type": "text", "text": "Changed"}}
    edited = await admin.call("PATCH", f"{path}/messages/{kept[0]['id']}", json=words)
    deleted = await admin.call("DELETE", f"{path}/messages/{kept[1]['id']}")
    fields: Json = {"priority": "low", "tags": ["vip"], "custom_attributes": {"x": 1}}
    patched = await admin.call("PATCH", path, json=fields)
    assert [edited.status_code, deleted.status_code, patched.status_code] == [200, 204, 200]
    await put_to_rest(workspace, session_id, Status.SNOOZED)


def steady(answer: httpx2.Response) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but the id of its request."""
    changing = {"request-id", "date"}
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return answer.status_code, headers, answer.content


async def test_the_next_public_event_follows_the_last_one_without_a_hole(
    workspace: Workspace,
) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    for _ in range(3):
        await admin.send(session_id, visibility="internal")
        sent = (await customer.send(session_id)).json()
        assert sent["cursor"].startswith(f"c1.p.{sent['message']['seq']}.")
    assert [event["seq"] for event in await customer.events(session_id)] == [1, 2, 3, 4]


@pytest.mark.parametrize("resting", [Status.PENDING, Status.SNOOZED])
async def test_a_customer_never_reads_that_a_session_rests(
    workspace: Workspace, resting: Status
) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await act(admin, session_id, "claim")
    await put_to_rest(workspace, session_id, resting)
    for answer in await looks(customer, session_id):
        assert resting not in answer.text
    await customer.send(session_id)
    await act(admin, session_id, "close")
    for answer in await looks(customer, session_id):
        assert resting not in answer.text


CANARIES = {"tag": "canary-tag", "key": "canary_key", "note": "canary note", "meta": "canary_meta"}


@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
async def test_a_customer_reads_no_word_that_is_internal(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    key = await workspace.key()
    session_id = await waiting(customer)
    fields = {"tags": [CANARIES["tag"]], "custom_attributes": {CANARIES["key"]: 1}}
    await admin.call("PATCH", f"/v1/sessions/{session_id}", json=fields)
    await admin.send(session_id, CANARIES["note"], visibility="internal")
    await key.send(session_id, "public", metadata={CANARIES["meta"]: "x"})
    await act(admin, session_id, "close", {"reason": "spam"})
    read = "".join(all_of(answer) for answer in await looks(customer, session_id))
    assert not [word for word in [*CANARIES.values(), "spam", "metadata_"] if word in read]
    shown = "".join(all_of(answer) for answer in await looks(admin, session_id))
    assert not [word for word in CANARIES.values() if word not in shown]
