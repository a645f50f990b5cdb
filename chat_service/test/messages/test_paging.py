"""Pages of a conversation: both ways and around, in the numbering of the reader."""

from typing import Any

import pytest

from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.conformance.acts import draft_by, send_all
from chat_service.test.messages.talk import delete, edit, empty_session, path_of, refusal, said


async def page(person: Person, session_id: str, **wanted: Any) -> Json:
    """One page of a conversation."""
    response = await person.get(path_of(session_id), params=wanted)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def numbers(found: Json) -> list[int]:
    """The numbers on a page."""
    return [message["seq"] for message in found["data"]]


def links(found: Json) -> tuple[int | None, int | None, bool]:
    """Where a conversation goes on."""
    link = found["page"]
    return link["before_seq"], link["after_seq"], link["has_more"]


async def talk(workspace: Workspace, count: int) -> tuple[Person, str]:
    """A customer and a session with so many messages."""
    customer = await workspace.customer()
    session_id = await empty_session(customer)
    for place in range(count):
        await said(customer, session_id, str(place))
    return customer, session_id


async def with_notes(workspace: Workspace) -> tuple[Person, Person, str]:
    """A customer, a key and a session with a note after each of three messages."""
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    for place in range(3):
        await said(customer, session_id, f"said {place}")
        await said(key, session_id, f"noted {place}", visibility="internal")
    return customer, key, session_id


PAGES: dict[str, tuple[dict[str, int], list[int], tuple[int | None, int | None, bool]]] = {
    # what is asked of 7 messages: the numbers on the page, where it goes on, whether there is more
    "the newest": ({"limit": 3}, [5, 6, 7], (5, None, True)),
    "all": ({}, [1, 2, 3, 4, 5, 6, 7], (None, None, False)),
    "before": ({"before_seq": 5, "limit": 3}, [2, 3, 4], (2, 4, True)),
    "before, to the first": ({"before_seq": 3, "limit": 3}, [1, 2], (None, 2, False)),
    "before the first": ({"before_seq": 1}, [], (None, None, False)),
    "before, exactly to the first": ({"before_seq": 4, "limit": 3}, [1, 2, 3], (None, 3, False)),
    "after": ({"after_seq": 2, "limit": 3}, [3, 4, 5], (3, 5, True)),
    "after, to the last": ({"after_seq": 4, "limit": 3}, [5, 6, 7], (5, None, False)),
    "after nothing": ({"after_seq": 0, "limit": 2}, [1, 2], (None, 2, True)),
    "after the last": ({"after_seq": 7}, [], (None, None, False)),
    "around": ({"around_seq": 4, "limit": 4}, [2, 3, 4, 5], (2, 5, True)),
    "around one": ({"around_seq": 4, "limit": 1}, [4], (4, 4, True)),
    "around the first": ({"around_seq": 1, "limit": 4}, [1, 2], (None, 2, True)),
    "around the last": ({"around_seq": 7, "limit": 4}, [5, 6, 7], (5, None, True)),
    "around all": ({"around_seq": 4, "limit": 20}, [1, 2, 3, 4, 5, 6, 7], (None, None, False)),
}


async def test_pages_hold_what_is_asked_and_say_where_it_goes_on(workspace: Workspace) -> None:
    customer, session_id = await talk(workspace, 7)
    for name, (wanted, found, goes_on) in PAGES.items():
        shown = await page(customer, session_id, **wanted)
        assert (numbers(shown), links(shown)) == (found, goes_on), name


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("way", ["before_seq", "after_seq"])
async def test_a_walk_meets_every_message_once_and_ends(
    workspace: Workspace, way: str, limit: int
) -> None:
    customer, session_id = await talk(workspace, 7)
    wanted: dict[str, int] = {"after_seq": 0} if way == "after_seq" else {}
    seen, more = [], True
    while more:
        shown = await page(customer, session_id, limit=limit, **wanted)
        seen += numbers(shown)
        more = shown["page"]["has_more"]
        wanted = {way: shown["page"][way] or 0}
    assert sorted(seen) == [1, 2, 3, 4, 5, 6, 7] and len(seen) == 7


async def test_a_page_stays_as_it_is_when_more_is_said(workspace: Workspace) -> None:
    customer, session_id = await talk(workspace, 4)
    before = await page(customer, session_id, before_seq=4, limit=2)
    await said(customer, session_id, "more")
    after = await page(customer, session_id, before_seq=4, limit=2)
    assert (after["data"], after["page"]) == (before["data"], before["page"])


async def test_a_page_has_at_most_200_messages(workspace: Workspace) -> None:
    customer, session_id = await talk(workspace, 0)
    drafts = [await draft_by(workspace.service, customer, session_id) for _ in range(201)]
    await send_all(workspace.service, drafts)
    shown = await page(customer, session_id, limit=1_000)
    assert numbers(shown) == list(range(2, 202))


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"before_seq": 3, "after_seq": 1}, "invalid_parameter"),
        ({"around_seq": 3, "after_seq": 1}, "invalid_parameter"),
        ({"before_seq": 0}, "invalid_parameter"),
        ({"after_seq": -1}, "invalid_parameter"),
        ({"around_seq": "x"}, "invalid_parameter"),
        ({"limit": 0}, "invalid_parameter"),
        ({"after_seq": 2**53 + 1}, "invalid_parameter"),
        ({"page": 2}, "unknown_parameter"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    workspace: Workspace, wanted: dict[str, Any], code: str
) -> None:
    customer, session_id = await talk(workspace, 0)
    response = await customer.get(path_of(session_id), params=wanted)
    assert refusal(response) == (400, code)


async def test_a_page_says_where_to_follow_the_events_from(workspace: Workspace) -> None:
    customer, key, session_id = await with_notes(workspace)
    for person, end in ((customer, 3), (key, 6)):
        as_of = (await page(person, session_id, limit=1))["as_of"]
        assert as_of["seq"] == end
        assert await person.events(session_id, after=as_of["cursor"]) == []
    await said(key, session_id, "new")
    event, *others = await customer.events(session_id, after_seq=3)
    assert event["seq"] == 4 and len(others) == 1


async def test_an_empty_conversation_is_followed_from_its_start(workspace: Workspace) -> None:
    customer, session_id = await talk(workspace, 0)
    shown = await page(customer, session_id)
    assert (shown["data"], shown["as_of"]["seq"]) == ([], 0)
    await said(customer, session_id)
    assert len(await customer.events(session_id, after=shown["as_of"]["cursor"])) == 1


async def test_customers_count_and_page_in_their_own_numbers(workspace: Workspace) -> None:
    customer, key, session_id = await with_notes(workspace)
    assert numbers(await page(customer, session_id)) == [1, 2, 3]
    assert numbers(await page(customer, session_id, before_seq=3, limit=1)) == [2]
    assert numbers(await page(customer, session_id, after_seq=2)) == [3]
    assert numbers(await page(customer, session_id, around_seq=2, limit=2)) == [1, 2]
    assert numbers(await page(key, session_id)) == [1, 2, 3, 4, 5, 6]
    assert [each["public_seq"] for each in await key.messages(session_id)] == [
        1,
        None,
        2,
        None,
        3,
        None,
    ]


async def test_notes_leave_no_trace_for_the_customer(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    await said(customer, session_id)
    before = await everything(customer, session_id)
    note = await said(key, session_id, "between us", visibility="internal")
    await edit(key, note, "between us alone")
    await delete(key, note)
    assert await everything(customer, session_id) == before
    for answer in (
        await customer.get(path_of(session_id, note["id"])),
        await edit(customer, note, "mine"),
        await delete(customer, note),
    ):
        assert refusal(answer) == (404, "not_found")


async def everything(person: Person, session_id: str) -> list[tuple[Json, str | None]]:
    """All that a person may read of a session, with the entity tags of it."""
    session = f"/v1/sessions/{session_id}"
    paths = ["/v1/sessions", session, f"{session}/messages", f"{session}/events"]
    answers = [await person.get(path) for path in paths]
    return [(answer.json(), answer.headers.get("ETag")) for answer in answers]
