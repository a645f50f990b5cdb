"""How far each has read: raised by reading and by sending, shown to each side in its own numbers."""

import asyncio
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from chat_service.events.transaction import reading
from chat_service.model import Participant
from chat_service.schema import Role, Visibility
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.sessions.calls import act, show, waiting


async def put(person: Person, session_id: str, **body: int) -> Json:
    """The answer to a read mark that is taken."""
    response = await person.call("PUT", f"/v1/sessions/{session_id}/read-state", json=body)
    assert response.status_code == 200, response.text
    state: Json = response.json()
    return state


async def states(staff: Person, session_id: str) -> dict[str, Json]:
    """The marks of a session by participant, as staff see them."""
    shown = (await show(staff, session_id))["read_states"]
    return {state["participant"]["id"]: state for state in shown}


async def rows(workspace: Workspace, session_id: str) -> dict[str, Participant]:
    """The participants of a session as they are stored."""
    query = select(Participant).where(
        Participant.workspace_id == workspace.id, Participant.session_id == UUID(session_id)
    )
    with workspace.service.database.bound():
        async with reading() as db:
            return {str(row.id): row for row in await db.scalars(query)}


async def test_a_sender_has_read_what_he_sent(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    assert (await states(bob, session_id))[customer.id]["read_seq"] == 1
    await bob.send(session_id, "Hello")
    last = (await show(bob, session_id))["last_seq"]
    own = (await states(bob, session_id))[bob.id]
    assert (own["read_seq"], own["delivered_seq"], own["unread_count"]) == (last, last, 0)
    theirs = (await states(bob, session_id))[customer.id]
    assert (theirs["read_seq"], theirs["unread_count"]) == (1, 1)


async def test_a_mark_is_shown_to_each_side_in_its_own_numbers(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    for _ in range(3):
        await bob.send(session_id, visibility="internal")
    await customer.send(session_id, "More")
    assert (await show(customer, session_id))["last_seq"] == 2
    assert (await show(bob, session_id))["last_seq"] == 5
    assert await put(bob, session_id, read_seq=5) == {
        "read_seq": 5,
        "delivered_seq": 5,
        "unread_count": 0,
    }
    seen = (await show(customer, session_id))["read_states"]
    assert seen["staff"] == {"read_seq": 2, "delivered_seq": 2}
    assert await put(customer, session_id, read_seq=2) == seen["me"] | {"read_seq": 2}
    assert (await states(bob, session_id))[customer.id]["read_seq"] == 5


async def test_between_public_events_staff_have_read_the_last_one(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    for _ in range(3):
        await bob.send(session_id, visibility="internal")
    await customer.send(session_id, "More")
    await put(bob, session_id, read_seq=3)
    assert (await show(customer, session_id))["read_states"]["staff"]["read_seq"] == 1
    assert (await states(bob, session_id))[bob.id]["unread_count"] == 1


async def test_a_mark_never_goes_down(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    for number in range(4):
        await customer.send(session_id, str(number))
    high = await put(bob, session_id, read_seq=3, delivered_seq=5)
    assert high == {"read_seq": 3, "delivered_seq": 5, "unread_count": 2}
    for lower in ({"read_seq": 1}, {"read_seq": 0}, {"read_seq": 3, "delivered_seq": 4}):
        assert await put(bob, session_id, **lower) == high
    version = (await rows(workspace, session_id))[bob.id].marks_version
    await put(bob, session_id, read_seq=2)
    assert (await rows(workspace, session_id))[bob.id].marks_version == version


async def test_marks_that_come_at_once_end_at_the_highest(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    for number in range(7):
        await customer.send(session_id, str(number))
    marks = [*range(9)] * 2
    Random(1).shuffle(marks)
    await asyncio.gather(*(put(bob, session_id, read_seq=number) for number in marks))
    assert (await states(bob, session_id))[bob.id]["read_seq"] == 8


async def test_who_was_reached_needs_not_have_read(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await bob.send(session_id)
    last = (await show(customer, session_id))["last_seq"]
    reached = await put(customer, session_id, read_seq=1, delivered_seq=last)
    assert (reached["read_seq"], reached["delivered_seq"]) == (1, last)
    read = await put(customer, session_id, read_seq=last)
    assert (read["read_seq"], read["delivered_seq"]) == (last, last)


@pytest.mark.parametrize("field", ["read_seq", "delivered_seq"])
async def test_refuses_a_mark_beyond_the_last_event_of_the_callers_log(
    workspace: Workspace, field: str
) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await bob.send(session_id, visibility="internal")
    path = f"/v1/sessions/{session_id}/read-state"
    for person, head in ((customer, 1), (bob, 2)):
        body = {"read_seq": 0, field: head + 1}
        response = await person.call("PUT", path, json=body)
        assert (response.status_code, response.json()["code"]) == (422, "read_seq_ahead")
        assert response.json()["errors"][0]["pointer"] == f"/{field}"
        assert (await put(person, session_id, **{"read_seq": 0, field: head}))[field] == head


async def test_who_reads_along_is_an_internal_participant_whom_no_customer_sees(
    workspace: Workspace,
) -> None:
    boss, customer = await workspace.agent(Role.SUPERVISOR), await workspace.customer()
    session_id = await waiting(customer)
    before = await customer.events(session_id)
    await put(boss, session_id, read_seq=1)
    assert (await rows(workspace, session_id))[boss.id].visibility is Visibility.INTERNAL
    assert boss.id in await states(boss, session_id)
    assert await customer.events(session_id) == before
    assert boss.id not in (await customer.get(f"/v1/sessions/{session_id}")).text


async def test_who_read_along_and_then_writes_joins_for_all_to_see(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await put(bob, session_id, read_seq=1)
    await bob.send(session_id, "note", visibility="internal")
    assert (await rows(workspace, session_id))[bob.id].visibility is Visibility.INTERNAL
    await bob.send(session_id, "Hello")
    assert (await rows(workspace, session_id))[bob.id].visibility is Visibility.PUBLIC
    joined = [event["type"] for event in await customer.events(session_id)]
    assert joined.count("participant.joined") == 1


async def test_who_read_along_and_is_assigned_keeps_his_mark(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await put(bob, session_id, read_seq=1)
    await act(bob, session_id, "claim")
    row = (await rows(workspace, session_id))[bob.id]
    assert (row.visibility, row.read_seq) == (Visibility.PUBLIC, 1)


async def test_a_note_moves_its_writers_mark_and_shows_no_customer(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    before = await show(customer, session_id)
    await bob.send(session_id, "note", visibility="internal")
    assert (await states(bob, session_id))[bob.id] == {
        "participant": {"type": "agent", "id": bob.id},
        "read_seq": 2,
        "delivered_seq": 2,
        "unread_count": 0,
    }
    assert await show(customer, session_id) == before


async def test_a_program_that_writes_is_not_staff_that_has_read(workspace: Workspace) -> None:
    key, customer = await workspace.key(), await workspace.customer()
    session_id = await waiting(customer)
    await key.send(session_id, "We will be with you soon")
    assert (await show(customer, session_id))["read_states"]["staff"]["read_seq"] == 0
    assert (await states(key, session_id))[str(UUID(key.id))]["read_seq"] == 3


async def test_unread_is_counted_to_a_hundred(workspace: Workspace) -> None:
    bob, key, customer = await workspace.agent(), await workspace.key(), await workspace.customer()
    session_id = await waiting(customer)
    await asyncio.gather(*(key.send(session_id, str(number)) for number in range(99)))
    assert (await show(customer, session_id))["read_states"]["me"]["unread_count"] == 99
    await key.send(session_id, "One more")
    await key.send(session_id, "And another")
    assert (await show(customer, session_id))["read_states"]["me"]["unread_count"] == 100
    await put(bob, session_id, read_seq=1)
    assert (await states(bob, session_id))[bob.id]["unread_count"] == 100


def recounted(messages: list[Json], reader: str, mark: int) -> int:
    """Public messages by others above a mark."""
    unread = [
        each
        for each in messages
        if each["visibility"] == "public" and each["seq"] > mark and each["author"]["id"] != reader
    ]
    return min(len(unread), 100)


@pytest.mark.conformance(48)
@pytest.mark.parametrize("seed", range(3))
async def test_unread_count_matches_recount(workspace: Workspace, seed: int) -> None:
    random = Random(seed)
    bob, boss = await workspace.agent(), await workspace.agent(Role.ADMIN)
    key, customer = await workspace.key(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    readers = [bob, boss, customer]
    for _ in range(40):
        person = random.choice([*readers, key])
        if person is key or random.random() < 0.6:
            note = person is not customer and random.random() < 0.3
            await person.send(session_id, visibility="internal" if note else "public")
        else:
            last = (await show(person, session_id))["last_seq"]
            await put(person, session_id, read_seq=random.randint(0, last))
    said = await boss.messages(session_id, limit=200)
    for reader, state in (await states(boss, session_id)).items():
        assert state["unread_count"] == recounted(said, reader, state["read_seq"]), reader
    own = (await show(customer, session_id))["read_states"]["me"]
    assert own["unread_count"] == (await states(boss, session_id))[customer.id]["unread_count"]


async def test_a_list_shows_the_marks_of_each_of_its_sessions(workspace: Workspace) -> None:
    bob = await workspace.agent()
    ids = [await waiting(await workspace.customer()) for _ in range(3)]
    await bob.send(ids[1], "Hello")
    listed = (await bob.get("/v1/sessions?limit=200")).json()["data"]
    by_id = {session["id"]: session["read_states"] for session in listed}
    for session_id in ids:
        assert by_id[session_id] == (await show(bob, session_id))["read_states"]


async def test_an_event_names_a_session_with_its_marks(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    await bob.send(session_id, "Hello")
    for person in (bob, customer):
        whole: list[Any] = [
            event["data"]["session"]
            for event in await person.events(session_id)
            if event["type"] == "session.assigned"
        ]
        assert whole == [await show(person, session_id)]
