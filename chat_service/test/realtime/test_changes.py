"""The changes of the agents' list over HTTP: pages, the wait of a long-poll, a stream."""

import asyncio
from typing import Any

import pytest

from chat_service.model import Agent
from chat_service.schema import Permission, Role, utc_now
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.events.logs import head_of, record_facts
from chat_service.test.realtime.list_client import UNCLOSED, position, streamed
from chat_service.test.realtime.rewinds import Rewind
from chat_service.test.rows import change_row, revoke
from chat_service.test.sessions.calls import agent_ref

PATH = "/v1/sessions/changes"


async def begun(customer: Person) -> str:
    """A new session."""
    session_id: str = (await customer.start())["session"]["id"]
    return session_id


async def listed(person: Person, view: str = "all") -> str:
    """Where the log stood when a view was listed."""
    response = await person.get("/v1/sessions", params={"view": view, "status": UNCLOSED})
    cursor: str = response.json()["feed_cursor"]
    return cursor


async def changes(person: Person, **params: Any) -> Json:
    """A page."""
    response = await person.get(PATH, params=params)
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


async def refusal(person: Person, **params: Any) -> tuple[int, str]:
    """Status and code of a refused one."""
    response = await person.get(PATH, params=params)
    return response.status_code, response.json()["code"]


async def test_a_page_has_what_changed_as_the_list_shows_it(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    await begun(customer)
    other = await begun(customer)
    after = await listed(admin)
    await customer.send(other, "word")
    await admin.send(other, "note", visibility="internal")
    page = await changes(admin, after=after)
    assert set(page) == {"changed", "removed", "next_cursor", "has_more"}
    shown = (await admin.get("/v1/sessions")).json()["data"]
    assert page["changed"] == [one for one in shown if one["id"] == other]
    assert (page["removed"], page["has_more"]) == ([], False)
    assert position(page["next_cursor"]) == (await head_of(workspace)).pos
    again = await changes(admin, after=page["next_cursor"])
    assert again == {**page, "changed": []}


async def test_removed_names_only_what_the_caller_had_or_could_have_had(
    workspace: Workspace,
) -> None:
    admin = await workspace.agent(Role.ADMIN)
    bob, eve, customer = (
        await workspace.agent(),
        await workspace.agent(),
        await workspace.customer(),
    )
    bobs, eves, waiting = [await begun(customer) for _ in range(3)]
    await bob.post(f"/v1/sessions/{bobs}/claim")
    await eve.post(f"/v1/sessions/{eves}/claim")
    after = await listed(bob)
    await admin.post(f"/v1/sessions/{bobs}/assign", {"assignee": agent_ref(eve)})
    await admin.post(f"/v1/sessions/{eves}/assign", {"assignee": agent_ref(admin)})
    await eve.post(f"/v1/sessions/{waiting}/claim")
    assert set((await changes(bob, after=after))["removed"]) == {bobs, waiting}
    assert (await changes(bob, after=after, view="mine"))["removed"] == [bobs]
    assert (await changes(bob, after=after, view="unassigned"))["removed"] == [waiting]
    assert (await changes(await workspace.key([]), after=after))["removed"] == []
    everything = await changes(admin, after=after)
    assert {one["id"] for one in everything["changed"]} == {bobs, eves, waiting}
    assert everything["removed"] == []


async def test_a_session_that_came_and_went_between_two_pages_is_removed(
    workspace: Workspace,
) -> None:
    """The first page may have shown it: it is read as it is, and not as it was at its cursor."""
    admin, bob, customer = (
        await workspace.agent(Role.ADMIN),
        await workspace.agent(),
        await workspace.customer(),
    )
    session_id = await begun(customer)
    await admin.post(f"/v1/sessions/{session_id}/claim")
    after = await listed(bob, "mine")
    await customer.send(session_id)
    await customer.send(await begun(customer))
    await admin.post(f"/v1/sessions/{session_id}/assign", {"assignee": agent_ref(bob)})
    first = await changes(bob, after=after, view="mine", limit=1)
    assert ([one["id"] for one in first["changed"]], first["has_more"]) == ([session_id], True)
    await admin.post(f"/v1/sessions/{session_id}/assign", {"assignee": agent_ref(admin)})
    second = await changes(bob, after=first["next_cursor"], view="mine")
    assert (second["changed"], second["removed"]) == ([], [session_id])


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_pages_of_any_size_tell_the_same(workspace: Workspace, limit: int) -> None:
    admin = await workspace.agent(Role.ADMIN)
    after = await listed(admin)
    ids = [await begun(await workspace.customer()) for _ in range(5)]
    told: list[str] = []
    more = True
    while more:
        page = await changes(admin, after=after, limit=limit)
        assert len(page["changed"]) <= limit
        told += [one["id"] for one in page["changed"]]
        after, more = page["next_cursor"], page["has_more"]
    assert list(dict.fromkeys(told)) == ids


async def test_many_rows_are_read_in_pages_too(workspace: Workspace) -> None:
    admin = await workspace.agent(Role.ADMIN)
    after = await listed(admin)
    await record_facts(workspace, 1_500)
    page = await changes(admin, after=after)
    assert (page["changed"], page["has_more"]) == ([], True)
    assert position(page["next_cursor"]) == position(after) + 1_000
    assert (await changes(admin, after=page["next_cursor"]))["has_more"] is False


async def test_waits_for_a_change_of_the_view(workspace: Workspace) -> None:
    bob, eve, customer = (
        await workspace.agent(),
        await workspace.agent(),
        await workspace.customer(),
    )
    own, other = await begun(customer), await begun(customer)
    await bob.post(f"/v1/sessions/{own}/claim")
    await eve.post(f"/v1/sessions/{other}/claim")
    after = await listed(bob)
    waiting = asyncio.create_task(changes(bob, after=after, wait=25))
    await customer.send(other)
    assert (await changes(bob, after=after, wait=0.3))["changed"] == []
    assert not waiting.done()
    await customer.send(own)
    page = await waiting
    assert [one["id"] for one in page["changed"]] == [own]
    assert position(page["next_cursor"]) == (await head_of(workspace)).pos


async def test_does_not_wait_for_what_is_there_already(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    after = await listed(admin)
    session_id = await begun(customer)
    page = await changes(admin, after=after, wait=25)
    assert [one["id"] for one in page["changed"]] == [session_id]


async def test_a_wait_ends_with_an_empty_page_that_leads_on(workspace: Workspace) -> None:
    bob = await workspace.agent()
    after = await listed(bob)
    await record_facts(workspace, 3)
    page = await changes(bob, after=after, wait=0.2)
    assert (page["changed"], page["removed"], page["has_more"]) == ([], [], False)
    assert position(page["next_cursor"]) == position(after) + 3


async def test_who_waited_and_has_other_rights_now_has_to_list_again(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    after = await listed(bob)
    waiting = asyncio.create_task(bob.get(PATH, params={"after": after, "wait": 25}))
    await asyncio.sleep(0.1)
    await change_row(workspace, Agent, bob.id, role=Role.VIEWER)
    await begun(customer)
    response = await waiting
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")


async def test_who_waited_and_is_signed_out_is_told_nothing(workspace: Workspace) -> None:
    bob = await workspace.agent()
    after = await listed(bob)
    waiting = asyncio.create_task(bob.get(PATH, params={"after": after, "wait": 25}))
    await asyncio.sleep(0.1)
    await bob.post("/v1/auth/sign-out")
    assert (await waiting).status_code == 401


async def test_a_wait_ends_where_the_log_is_set_back(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    rewind = await Rewind.note(workspace)
    await customer.send(session_id, "lost")
    after = await listed(admin)
    waiting = asyncio.create_task(refusal(admin, after=after, wait=25))
    await asyncio.sleep(0.1)
    await rewind.do()
    assert await waiting == (409, "cursor_ahead")


async def test_customers_are_refused_and_the_address_is_no_session(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    assert await refusal(customer) == (403, "forbidden")
    assert (await workspace.client.get(PATH)).status_code == 401
    assert (await key.get(PATH)).status_code == 200
    assert (await key.get("/v1/sessions/change")).status_code == 404


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"after": "c1.s.1.0123abcd"}, "cursor_invalid"),
        ({"after": ""}, "cursor_invalid"),
        ({"view": "closed"}, "invalid_parameter"),
        ({"limit": 0}, "invalid_parameter"),
        ({"wait": -1}, "invalid_parameter"),
        ({"window": 5}, "unknown_parameter"),
    ],
)
async def test_refuses_what_it_does_not_know(workspace: Workspace, params: Json, code: str) -> None:
    assert await refusal(await workspace.agent(), **params) == (400, code)


async def test_a_stream_tells_changes_and_its_ids_are_cursors(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    first = await begun(customer)
    after = await listed(bob)
    async with streamed(workspace.service, bob, PATH, after=after) as stream:
        assert (await stream.next()).name == "state"
        await customer.send(first)
        told = await stream.next()
        assert (told.name, told.id) == ("sessions.changed", told.data["next_cursor"])
        assert [one["id"] for one in told.data["changed"]] == [first]
    await bob.post(f"/v1/sessions/{first}/close")
    async with streamed(workspace.service, bob, PATH, last_event_id=told.id) as stream:
        assert (await stream.next()).name == "state"
        told = await stream.next()
        assert (told.data["changed"], told.data["removed"]) == ([], [first])


async def test_a_stream_whose_log_is_set_back_says_so_and_ends(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    rewind = await Rewind.note(workspace)
    await customer.send(session_id, "lost")
    async with streamed(workspace.service, admin, PATH, after=await listed(admin)) as stream:
        assert (await stream.next()).name == "state"
        await rewind.do()
        end = await stream.next()
        assert (end.name, end.data) == ("reset", {"reason": "cursor_ahead"})
        assert await stream.ended()


async def test_a_stream_begins_with_the_problem_of_its_cursor(workspace: Workspace) -> None:
    key = await workspace.key()
    response = await key.get(
        PATH, params={"after": "c1.w.999.0123abcd"}, headers={"Accept": "text/event-stream"}
    )
    assert (response.status_code, response.json()["code"]) == (409, "cursor_ahead")


async def test_a_stream_ends_with_the_right_to_it(workspace: Workspace) -> None:
    key, customer = await workspace.key([Permission.SESSIONS_READ_ALL]), await workspace.customer()
    async with streamed(workspace.service, key, PATH, after=await listed(key)) as stream:
        assert (await stream.next()).name == "state"
        await revoke(workspace, key, revoked_at=utc_now())
        await begun(customer)
        assert await stream.ended()
