"""The log of a session, page by page, and cursors of something else."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from chat_service.model import ChatEvent
from chat_service.schema import Audience, AuthorType, Role, SessionId, new_id, utc_now
from chat_service.test.builders import Json, Person, Workspace, writing
from chat_service.test.sessions.calls import act, waiting
from chat_service.test.views.calls import of_session, page, refusal, walk


@pytest.fixture
async def admin(workspace: Workspace) -> Person:
    """Somebody who sees everything."""
    return await workspace.agent(Role.ADMIN)


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


async def talk(customer: Person, admin: Person) -> str:
    """A session of five public messages with a note behind each."""
    session_id = await waiting(customer, text="1")
    await admin.send(session_id, "note", visibility="internal")
    for number in range(2, 6):
        await customer.send(session_id, str(number))
        await admin.send(session_id, "note", visibility="internal")
    return session_id


def texts(events: list[Json]) -> list[str]:
    """The words of messages."""
    return [event["data"]["message"]["content"]["text"] for event in events]


@pytest.mark.parametrize("limit", [1, 2, 5, 500])
async def test_pages_of_any_size_hold_the_whole_log_once(
    customer: Person, admin: Person, limit: int
) -> None:
    path = of_session(await talk(customer, admin))
    public = await walk(customer, path, limit=limit)
    assert texts(public) == ["1", "2", "3", "4", "5"]
    assert [event["seq"] for event in public] == [1, 2, 3, 4, 5]
    assert [event["seq"] for event in await walk(admin, path, limit=limit)] == list(range(1, 11))


async def test_customers_see_no_internal_event(customer: Person, admin: Person) -> None:
    session_id = await talk(customer, admin)
    await admin.call("PATCH", f"/v1/sessions/{session_id}", json={"priority": "high"})
    events = await walk(customer, of_session(session_id))
    assert {event["type"] for event in events} == {"message.created"}
    assert "note" not in texts(events)


async def test_the_cursor_of_each_event_leads_to_the_next(customer: Person, admin: Person) -> None:
    path = of_session(await talk(customer, admin))
    for person in (customer, admin):
        events = await walk(person, path)
        for event, following in zip(events, events[1:], strict=False):
            found = await page(person, path, after=event["cursor"], limit=1)
            assert found["data"] == [following]


async def test_the_end_of_the_log_is_an_empty_page_with_the_same_cursor(
    customer: Person, admin: Person
) -> None:
    path = of_session(await talk(customer, admin))
    cursor = (await page(customer, path))["next_cursor"]
    assert await page(customer, path, after=cursor) == {
        "data": [],
        "next_cursor": cursor,
        "has_more": False,
    }


async def test_a_log_without_public_events_ends_at_zero(customer: Person, admin: Person) -> None:
    session_id = await waiting(customer, text=None)
    await admin.send(session_id, "note", visibility="internal")
    empty = {"data": [], "next_cursor": "c1.p.0", "has_more": False}
    assert await page(customer, of_session(session_id)) == empty
    assert await page(customer, of_session(session_id), after="c1.p.0") == empty


async def test_a_number_is_read_in_the_callers_numbering(customer: Person, admin: Person) -> None:
    path = of_session(await talk(customer, admin))
    assert texts((await page(customer, path, after_seq=3))["data"]) == ["4", "5"]
    assert texts((await page(admin, path, after_seq=7))["data"]) == ["note", "5", "note"]
    assert len((await page(admin, path, after_seq=0))["data"]) == 10


async def test_a_number_at_the_end_is_answered_with_its_cursor(
    customer: Person, admin: Person
) -> None:
    path = of_session(await talk(customer, admin))
    end = (await page(customer, path))["next_cursor"]
    assert await page(customer, path, after_seq=5) == {
        "data": [],
        "next_cursor": end,
        "has_more": False,
    }


async def test_a_page_has_at_most_five_hundred_events(
    workspace: Workspace, customer: Person
) -> None:
    session_id = await waiting(customer)
    async with writing(workspace.service) as db:
        await db.execute(insert(ChatEvent), [row(workspace, session_id, n) for n in range(2, 502)])
    found = await page(customer, of_session(session_id), limit=10**9)
    assert (len(found["data"]), found["has_more"]) == (500, True)
    assert len(await walk(customer, of_session(session_id), limit=10**9)) == 501


def row(workspace: Workspace, session_id: str, number: int) -> Json:
    """A public event of a session, by its number."""
    return {
        "workspace_id": workspace.id,
        "pos": 1_000 + number,
        "session_id": SessionId(UUID(session_id)),
        "audience": Audience.PUBLIC,
        "seq": number,
        "public_seq": number,
        "id": new_id(),
        "type": "session.updated",
        "actor_type": AuthorType.SYSTEM,
        "data": {"changed": ["subject"]},
        "created_at": utc_now(),
    }


async def test_resource_and_summary_are_as_they_are_now(customer: Person, admin: Person) -> None:
    session_id = await waiting(customer, text="First")
    sent = (await customer.messages(session_id))[0]
    path = f"/v1/sessions/{session_id}/messages/{sent['id']}"
    await customer.call("PATCH", path, json={"content": {"type": "text", "text": "Changed"}})
    await act(admin, session_id, "claim")
    first = (await walk(customer, of_session(session_id)))[0]
    assert (first["type"], first["id"]) == ("message.created", sent["id"])
    assert texts([first]) == ["Changed"]
    assert first["data"]["message"]["version"] == 2
    assert first["session"]["status"] == "open"


async def test_a_deleted_message_is_a_tombstone_in_the_log(customer: Person, admin: Person) -> None:
    session_id = await waiting(customer, text="secret words")
    sent = (await customer.messages(session_id))[0]
    await customer.call("DELETE", f"/v1/sessions/{session_id}/messages/{sent['id']}")
    for person in (customer, admin):
        events = await walk(person, of_session(session_id))
        assert [event["type"] for event in events] == ["message.created", "message.deleted"]
        assert [event["data"]["message"]["content"] for event in events] == [None, None]
        assert "secret words" not in str(events)


GARBAGE = [
    "",
    "1",
    "c1",
    "c1.p.1",
    "c1.p.-1.0123abcd",
    "c1.p.01.0123abcd",
    "c1.p.1.0123ABCD",
    "c1.p.1.0123abc",
    "c1.p.0.0123abcd",
    "c1.x.1.0123abcd",
    "c2.p.1.0123abcd",
    "c1.p.99999999999999999.0123abcd",
    "c1.p.\u0661.0123abcd",
    "c1.p.1.0123abcd\n",
    "c1.p.1.0123abcd'--",
]


async def test_refuses_a_cursor_it_never_gave(customer: Person) -> None:
    path = of_session(await waiting(customer))
    for cursor in GARBAGE:
        assert await refusal(customer, path, after=cursor) == (400, "cursor_invalid"), cursor


async def test_a_cursor_counts_in_its_callers_numbering_only(
    workspace: Workspace, customer: Person, admin: Person
) -> None:
    path = of_session(await talk(customer, admin))
    public, staff = [(await page(person, path))["next_cursor"] for person in (customer, admin)]
    feed = (await page(await workspace.key(), "/v1/events"))["next_cursor"]
    for person, cursor in ((customer, staff), (customer, feed), (admin, public), (admin, feed)):
        assert await refusal(person, path, after=cursor) == (400, "cursor_invalid")


async def test_a_cursor_ahead_of_the_log_is_409(customer: Person, admin: Person) -> None:
    path = of_session(await talk(customer, admin))
    cursor = (await page(customer, path))["next_cursor"]
    ahead = cursor.replace("c1.p.5.", "c1.p.6.")
    assert await refusal(customer, path, after=ahead) == (409, "cursor_ahead")
    assert await refusal(customer, path, after_seq=6) == (409, "cursor_ahead")
    last = "c1.p.9999999999999999.0123abcd"
    assert await refusal(customer, path, after=last) == (409, "cursor_ahead")
    assert await refusal(customer, path, after_seq=2**53) == (409, "cursor_ahead")


async def test_a_cursor_of_another_log_is_409(
    customer: Person, admin: Person, workspace: Workspace
) -> None:
    """The same numbers with another end: the log was rewound, or it is another session's."""
    path = of_session(await talk(customer, admin))
    foreign = of_session(await talk(await workspace.customer(), admin))
    cursor = (await page(admin, foreign))["next_cursor"]
    assert await refusal(admin, path, after=cursor) == (409, "cursor_mismatch")


async def test_a_cursor_of_removed_events_is_410(
    workspace: Workspace, customer: Person, admin: Person
) -> None:
    session_id = await talk(customer, admin)
    events = await walk(admin, of_session(session_id))
    old = ChatEvent.workspace_id == workspace.id, ChatEvent.seq <= 4
    async with writing(workspace.service) as db:
        await db.execute(delete(ChatEvent).where(*old))
    path = of_session(session_id)
    for params in ({}, {"after": events[1]["cursor"]}, {"after_seq": 2}):
        assert await refusal(admin, path, **params) == (410, "cursor_expired")
    assert (await page(admin, path, after=events[4]["cursor"]))["data"] == events[5:]


async def test_a_rewound_log_is_told_from_its_first_event(
    workspace: Workspace, customer: Person
) -> None:
    session_id = await waiting(customer)
    cursor = (await page(customer, of_session(session_id)))["next_cursor"]
    first = ChatEvent.workspace_id == workspace.id, ChatEvent.public_seq == 1
    async with writing(workspace.service) as db:
        await db.execute(update(ChatEvent).where(*first).values(id=new_id()))
    assert await refusal(customer, of_session(session_id), after=cursor) == (
        409,
        "cursor_mismatch",
    )


async def test_a_foreign_session_has_no_log(workspace: Workspace, customer: Person) -> None:
    path = of_session(await waiting(customer))
    stranger = await workspace.customer()
    bot = await workspace.agent(Role.BOT)
    for person in (stranger, bot):
        assert await refusal(person, path) == (404, "not_found")
        assert await refusal(person, path, after_seq=99) == (404, "not_found")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"after_seq": -1}, "invalid_parameter"),
    ({"after_seq": 2**53 + 1}, "invalid_parameter"),
    ({"after_seq": "x"}, "invalid_parameter"),
    ({"limit": 0}, "invalid_parameter"),
    ({"after": "c1.p.0", "after_seq": 0}, "invalid_parameter"),
    ({"after": "x" * 513}, "invalid_parameter"),
    ({"types": "message.created"}, "unknown_parameter"),
]


async def test_refuses_parameters_it_does_not_know(customer: Person) -> None:
    path = of_session(await waiting(customer))
    for params, code in WRONG:
        assert await refusal(customer, path, **params) == (400, code), params
