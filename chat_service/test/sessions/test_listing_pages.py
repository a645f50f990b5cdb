"""Lists of sessions, page by page: cursors in both directions, and cursors of something else."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from chat_service.model import ChatSession
from chat_service.schema import Role
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.rows import change_row

SORTS = ["-last_activity_at", "created_at", "-created_at", "waiting_since"]


async def get_page(person: Person, **params: Any) -> Json:
    """One page of sessions."""
    response = await person.get("/v1/sessions", params=params)
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


def ids(page: Json) -> list[str]:
    """The sessions of a page."""
    return [session["id"] for session in page["data"]]


async def walk(person: Person, link: str, page: Json, **params: Any) -> list[list[str]]:
    """The pages behind this one, by `next_cursor` or `prev_cursor`, as far as they go."""
    pages = []
    while page["page"][link] is not None:
        page = await get_page(person, cursor=page["page"][link], **params)
        pages.append(ids(page))
        assert len(pages) < 50
    return pages


async def start_many(workspace: Workspace, count: int) -> list[str]:
    """Sessions of several customers, oldest first."""
    started: list[str] = []
    while len(started) < count:
        customer = await workspace.customer()
        for _ in range(min(3, count - len(started))):
            started.append((await customer.start())["session"]["id"])
    return started


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_hold_each_session_once_in_both_directions(
    workspace: Workspace, sort: str
) -> None:
    started = await start_many(workspace, 5)
    admin = await workspace.agent(Role.ADMIN)
    ordered = started[::-1] if sort.startswith("-") else started
    first = await get_page(admin, sort=sort, limit=2)
    assert (ids(first), first["page"]["prev_cursor"]) == (ordered[:2], None)
    onwards = await walk(admin, "next_cursor", first, sort=sort, limit=2)
    assert onwards == [ordered[2:4], ordered[4:]]
    last = await get_page(admin, sort=sort, limit=2, cursor=await last_cursor(admin, sort))
    assert (ids(last), last["page"]["next_cursor"]) == (ordered[4:], None)
    assert await walk(admin, "prev_cursor", last, sort=sort, limit=2) == [
        ordered[2:4],
        ordered[:2],
    ]


async def last_cursor(person: Person, sort: str) -> str:
    """The cursor of the third page of two."""
    page = await get_page(person, sort=sort, limit=4)
    cursor: str = page["page"]["next_cursor"]
    return cursor


@pytest.mark.parametrize("sort", SORTS)
async def test_sessions_of_one_moment_are_not_lost_between_pages(
    workspace: Workspace, sort: str
) -> None:
    started = await start_many(workspace, 5)
    moment = datetime(2026, 11, 22, 7, 38, 0, 123456, tzinfo=UTC)
    for session_id in started:
        await change_row(workspace, ChatSession, session_id, **{sort.removeprefix("-"): moment})
    admin = await workspace.agent(Role.ADMIN)
    first = await get_page(admin, sort=sort, limit=1)
    pages = [ids(first), *await walk(admin, "next_cursor", first, sort=sort, limit=1)]
    expected = sorted(started, reverse=sort.startswith("-"))
    assert [page[0] for page in pages] == expected


@pytest.mark.conformance(69)
@pytest.mark.parametrize("sort", SORTS)
async def test_cursor_paging_stable_under_insert_and_update(
    workspace: Workspace, sort: str
) -> None:
    started = await start_many(workspace, 6)
    admin = await workspace.agent(Role.ADMIN)
    ordered = started[::-1] if sort.startswith("-") else started
    page = await get_page(admin, sort=sort, limit=2)
    seen = ids(page)
    moving = seen[0]
    while page["page"]["next_cursor"] is not None:
        await start_many(workspace, 1)
        await admin.call("PATCH", f"/v1/sessions/{ordered[-1]}", json={"subject": seen[-1]})
        await change_row(workspace, ChatSession, ordered[-1], last_activity_at=AGES_AGO)
        await admin.send(moving, visibility="internal")
        page = await get_page(admin, sort=sort, limit=2, cursor=page["page"]["next_cursor"])
        seen += ids(page)
        assert len(seen) < 50
    assert [session_id for session_id in seen if session_id in started] == ordered
    assert len(set(seen)) == len(seen)


AGES_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_a_session_that_moved_to_the_front_is_shown_once(workspace: Workspace) -> None:
    customer = await workspace.customer()
    started = [(await customer.start())["session"]["id"] for _ in range(3)]
    page = await get_page(customer, limit=2)
    assert ids(page) == [started[2], started[1]]
    await customer.send(started[1])
    rest = await get_page(customer, limit=2, cursor=page["page"]["next_cursor"])
    assert ids(rest) == [started[0]]


async def test_the_page_before_the_first_tells_of_what_is_new(workspace: Workspace) -> None:
    started = await start_many(workspace, 2)
    admin = await workspace.agent(Role.ADMIN)
    second = await get_page(
        admin, limit=1, cursor=(await get_page(admin, limit=1))["page"]["next_cursor"]
    )
    newest = await start_many(workspace, 1)
    before = await get_page(admin, limit=5, cursor=second["page"]["prev_cursor"])
    assert ids(before) == [*newest, started[1]]


async def test_a_full_last_page_has_no_next(workspace: Workspace) -> None:
    await start_many(workspace, 2)
    page = (await get_page(await workspace.agent(), limit=2))["page"]
    assert page == {"next_cursor": None, "prev_cursor": None, "has_more": False}


async def test_an_empty_list_has_no_cursors(workspace: Workspace) -> None:
    page = await get_page(await workspace.agent())
    assert page["data"] == []
    assert page["page"] == {"next_cursor": None, "prev_cursor": None, "has_more": False}


async def test_limit_is_capped_and_may_change_between_pages(workspace: Workspace) -> None:
    started = await start_many(workspace, 4)
    admin = await workspace.agent(Role.ADMIN)
    first = await get_page(admin, limit=1)
    rest = await get_page(admin, limit=10**9, cursor=first["page"]["next_cursor"])
    assert ids(first) + ids(rest) == started[::-1]


@pytest.mark.conformance(70)
async def test_cursor_with_other_filter_is_400(workspace: Workspace) -> None:
    await start_many(workspace, 2)
    admin = await workspace.agent(Role.ADMIN)
    cursor = (await get_page(admin, limit=1, status="queued"))["page"]["next_cursor"]
    for params in ({}, {"status": "open"}, {"status": "queued", "view": "mine"}):
        assert await refusal(admin, cursor, **params) == (400, "cursor_filter_mismatch")
    other_sort = {"status": "queued", "sort": "created_at"}
    assert await refusal(admin, cursor, **other_sort) == (400, "cursor_filter_mismatch")


async def refusal(person: Person, cursor: str, **params: Any) -> tuple[int, str]:
    """Status and code of a list that begins at a cursor."""
    response = await person.get("/v1/sessions", params={"cursor": cursor, **params})
    return response.status_code, response.json()["code"]


def packed(value: Any) -> str:
    """What a cursor looks like from outside."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


NOW = "2026-11-22T07:38:00+00:00"
ID = UUID(int=7).hex
GARBAGE = [
    "",
    "x",
    "é",
    "%00",
    "c1.w.5.0123abcd",
    packed([]),
    packed(5),
    packed("four"),
    packed({"a": 1, "b": 2, "c": 3, "d": 4}),
    packed([NOW, "no id", True, "x"]),
    packed([NOW, 5, True, "x"]),
    packed([NOW[:-6], ID, True, "x"]),
    packed(["never", ID, True, "x"]),
    packed([[], ID, True, "x"]),
    packed(["0001-01-01T00:00:00+14:00", ID, True, "x"]),
    packed([1e300, ID, True, "x"]),
    "A" * 512,
    packed(10**100),
    "W" + packed(["["] * 40),
]


@pytest.mark.parametrize("cursor", GARBAGE)
async def test_refuses_a_cursor_it_never_gave(workspace: Workspace, cursor: str) -> None:
    assert await refusal(await workspace.agent(), cursor) == (400, "cursor_invalid")


async def test_refuses_a_cursor_longer_than_any(workspace: Workspace) -> None:
    assert await refusal(await workspace.agent(), "A" * 513) == (400, "invalid_parameter")


async def test_a_changed_place_in_a_cursor_opens_nothing_else(workspace: Workspace) -> None:
    ada, carl = await workspace.customer(), await workspace.customer()
    await carl.start()
    for _ in range(2):
        await ada.start()
    cursor = (await get_page(ada, limit=1))["page"]["next_cursor"]
    value, row_id, forwards, fingerprint = json.loads(
        base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    )
    late = (datetime.fromisoformat(value) + timedelta(days=1)).isoformat()
    page = await get_page(ada, cursor=packed([late, row_id, forwards, fingerprint]))
    assert {session["customer_id"] for session in page["data"]} == {ada.id}


async def test_a_list_cursor_of_somebody_else_gives_nothing(workspace: Workspace) -> None:
    """A list cursor is a place, not a permission."""
    ada, carl = await workspace.customer(), await workspace.customer()
    for _ in range(2):
        await ada.start()
    own = (await carl.start())["session"]["id"]
    cursor = (await get_page(ada, limit=1))["page"]["next_cursor"]
    assert set(ids(await get_page(carl, cursor=cursor))) <= {own}
