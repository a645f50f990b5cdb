"""Lists of sessions: what filters and views let through, and who may use which."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from chat_service.model import ChatSession
from chat_service.schema import Priority, Role, Status
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.rows import change_row, put_to_rest


async def list_ids(person: Person, **params: Any) -> list[str]:
    """Ids of one page of sessions."""
    return [session["id"] for session in (await list_page(person, **params))["data"]]


async def list_page(person: Person, **params: Any) -> Json:
    """One page of sessions."""
    response = await person.get("/v1/sessions", params=params)
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


async def start(customer: Person, **changes: Any) -> str:
    """A session's id."""
    session_id: str = (await customer.start(**changes))["session"]["id"]
    return session_id


async def refusal(person: Person, **params: Any) -> tuple[int, str]:
    """Status and code of a refused list."""
    response = await person.get("/v1/sessions", params=params)
    return response.status_code, response.json()["code"]


async def test_lists_newest_activity_first(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    first, second = await start(customer), await start(customer)
    assert await list_ids(admin) == [second, first]
    assert (await customer.send(first)).status_code == 201
    assert await list_ids(admin) == [first, second]


async def test_a_note_is_no_activity(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    first, second = await start(customer), await start(customer)
    assert (await admin.send(first, visibility="internal")).status_code == 201
    assert await list_ids(admin) == await list_ids(customer) == [second, first]


async def test_filters_by_status_with_commas_as_or(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    queued, taken, closed = [await start(customer) for _ in range(3)]
    await admin.post(f"/v1/sessions/{taken}/claim")
    await admin.post(f"/v1/sessions/{closed}/close")
    assert await list_ids(admin, status="queued") == [queued]
    assert set(await list_ids(admin, status="open,closed")) == {taken, closed}
    assert await list_ids(admin, status="snoozed") == []


async def test_filters_are_joined_by_and(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    plain, urgent = await start(customer), await start(customer)
    await admin.call("PATCH", f"/v1/sessions/{urgent}", json={"priority": "urgent"})
    await admin.post(f"/v1/sessions/{plain}/claim")
    assert await list_ids(admin, priority="urgent,high", status="queued") == [urgent]
    assert await list_ids(admin, priority="urgent", status="open") == []


TAGS = ["refund", "re", "it's", 'say "hi"', "50%", "a,b", "ünï", "null", "[]", "$.x"]


async def test_filters_by_a_whole_tag(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    tagged, other = await start(customer), await start(customer)
    await admin.call("PATCH", f"/v1/sessions/{tagged}", json={"tags": TAGS})
    await admin.call("PATCH", f"/v1/sessions/{other}", json={"tags": ["refunds"]})
    for tag in TAGS:
        assert await list_ids(admin, tag=tag) == [tagged], tag
    for tag in ("ref", "REFUND", "%", "x", "' OR 1=1 --"):
        assert await list_ids(admin, tag=tag) == [], tag


async def test_filters_by_customer_inbox_and_channel(workspace: Workspace) -> None:
    admin, key = await workspace.agent(Role.ADMIN), await workspace.key()
    ada, carl = await workspace.customer("Ada"), await workspace.customer("Carl")
    by_ada = await start(ada)
    for_carl = await start(key, customer_id=carl.id)
    assert await list_ids(admin, customer_id=ada.id) == [by_ada]
    assert await list_ids(admin, channel="api") == [for_carl]
    assert await list_ids(admin, channel="web") == [by_ada]
    assert set(await list_ids(admin, inbox_id=str(workspace.inbox.id))) == {by_ada, for_carl}
    assert await list_ids(admin, inbox_id=str(uuid4())) == []


async def test_filters_by_assignee_and_view(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    customer = await workspace.customer()
    waiting, mine, bobs = [await start(customer) for _ in range(3)]
    await admin.post(f"/v1/sessions/{mine}/claim")
    await bob.post(f"/v1/sessions/{bobs}/claim")
    for params in ({"view": "mine"}, {"assignee_id": "me"}, {"assignee_id": admin.id}):
        assert await list_ids(admin, **params) == [mine]
    for params in ({"view": "unassigned"}, {"assignee_id": "none"}):
        assert await list_ids(admin, **params) == [waiting]
    assert await list_ids(admin, assignee_id=bob.id) == [bobs]
    assert set(await list_ids(admin, view="all")) == {waiting, mine, bobs}
    assert await list_ids(admin, view="mine", assignee_id=bob.id) == []


async def test_an_agent_lists_what_he_may_see_whatever_the_filter(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    customer = await workspace.customer()
    waiting, of_admin, own = [await start(customer) for _ in range(3)]
    await admin.post(f"/v1/sessions/{of_admin}/claim")
    await bob.post(f"/v1/sessions/{own}/claim")
    assert set(await list_ids(bob)) == {waiting, own}
    assert await list_ids(bob, assignee_id=admin.id) == []


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_customer_lists_own_sessions_only(workspace: Workspace) -> None:
    ada, carl = await workspace.customer("Ada"), await workspace.customer("Carl")
    own = await start(ada)
    await start(carl)
    page = await list_page(ada)
    assert [session["id"] for session in page["data"]] == [own]
    assert page["feed_cursor"] is None


@pytest.mark.parametrize(
    "params",
    [
        {"assignee_id": "none"},
        {"assignee_id": str(uuid4())},
        {"view": "mine"},
        {"inbox_id": str(uuid4())},
        {"customer_id": str(uuid4())},
        {"tag": "vip"},
        {"priority": "high"},
        {"sort": "waiting_since"},
    ],
)
@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_customers_may_not_filter_or_sort_by_staff_fields(
    workspace: Workspace, params: dict[str, str]
) -> None:
    customer = await workspace.customer()
    await customer.start()
    assert await refusal(customer, **params) == (403, "forbidden")


@pytest.mark.parametrize("resting", [Status.PENDING, Status.SNOOZED])
async def test_a_resting_session_is_open_for_its_customer(
    workspace: Workspace, resting: Status
) -> None:
    customer = await workspace.customer()
    session_id = await start(customer)
    await put_to_rest(workspace, session_id, resting)
    assert await list_ids(customer, status="open") == [session_id]
    assert await list_ids(customer, status=resting) == []
    assert (await list_page(customer))["data"][0]["status"] == "open"
    admin = await workspace.agent(Role.ADMIN)
    assert await list_ids(admin, status=resting) == [session_id]
    assert await list_ids(admin, status="open") == []


async def test_updated_after_shows_customers_only_what_moved_publicly(
    workspace: Workspace,
) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await start(customer)
    moment = datetime.now(UTC) + timedelta(seconds=60)
    await change_row(workspace, ChatSession, session_id, updated_at=moment + timedelta(seconds=1))
    assert await list_ids(admin, updated_after=moment.isoformat()) == [session_id]
    assert await list_ids(customer, updated_after=moment.isoformat()) == []


async def test_waiting_since_lists_only_who_waits_longest_first(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    answered, first, second = [await start(customer) for _ in range(3)]
    await admin.send(answered)
    assert await list_ids(admin, sort="waiting_since") == [first, second]


WRONG = [
    ({"status": "asleep"}, "invalid_filter"),
    ({"status": ""}, "invalid_filter"),
    ({"status": "open,"}, "invalid_filter"),
    ({"priority": "9"}, "invalid_filter"),
    ({"assignee_id": "Bob"}, "invalid_filter"),
    ({"inbox_id": "1"}, "invalid_filter"),
    ({"customer_id": "' OR 1=1 --"}, "invalid_filter"),
    ({"tag": "nul\0"}, "invalid_filter"),
    ({"tag": "x" * 129}, "invalid_filter"),
    ({"channel": "fax"}, "invalid_filter"),
    ({"updated_after": "yesterday"}, "invalid_filter"),
    ({"updated_after": "2026-11-22T07:00:00"}, "invalid_filter"),
    ({"updated_after": "0001-01-01T00:00:00+14:00"}, "invalid_filter"),
    ({"updated_after": "9999-12-31T23:59:59-14:00"}, "invalid_filter"),
    ({"view": "everything"}, "invalid_parameter"),
    ({"limit": "0"}, "invalid_parameter"),
    ({"limit": "many"}, "invalid_parameter"),
    ({"sort": "updated_at"}, "unsupported_sort"),
    ({"sort": "id; DROP TABLE agents"}, "unsupported_sort"),
    ({"q": "word"}, "unknown_parameter"),
    ({"limit": ["1", "2"]}, "invalid_parameter"),
]


@pytest.mark.parametrize(("params", "code"), WRONG)
async def test_refuses_what_no_list_has(
    workspace: Workspace, params: dict[str, str], code: str
) -> None:
    assert await refusal(await workspace.agent(), **params) == (400, code)


async def test_staff_see_where_the_log_stood(workspace: Workspace) -> None:
    key, customer = await workspace.key(), await workspace.customer()
    feed_cursor = (await list_page(key))["feed_cursor"]
    await start(customer)
    response = await key.get("/v1/events", params={"after": feed_cursor})
    assert [event["type"] for event in response.json()["data"]] == [
        "session.created",
        "message.created",
    ]


async def test_priorities_of_the_description_are_all_filters(workspace: Workspace) -> None:
    admin = await workspace.agent(Role.ADMIN)
    assert {str(priority) for priority in Priority} == {"low", "medium", "high", "urgent"}
    assert await list_ids(admin, priority="low,medium,high,urgent") == []
