"""The agents' list over sockets: the promises 52 to 55, and what is told beside them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Json, Workspace
from chat_service.test.conformance.sqllog import watching
from chat_service.test.events.logs import head_of, record_facts
from chat_service.test.realtime.consoles import (
    begun,
    changed,
    console,
    say,
    settled,
    talk,
)
from chat_service.test.realtime.list_client import Console, connected, position, until
from chat_service.test.realtime.rewinds import raise_floor
from chat_service.test.sessions.calls import act, agent_ref

MARKER = "only-for-staff-7f3c"


@pytest.mark.conformance(53)
async def test_list_frames_at_most_one_per_second(workspace: Workspace) -> None:
    """The first comes at once; how many follow depends on how long it takes, never on how much."""
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    async with console(workspace, admin) as (_, socket):
        loop = asyncio.get_running_loop()
        start, before = loop.time(), len(socket.said)
        await say(customer, session_id, "first")
        first = await changed(socket)
        assert [one["id"] for one in first["changed"]] == [session_id]
        for number in range(30):
            await say(customer, session_id, str(number))
        seen: Json = {}
        while seen.get("last_message", {}).get("text") != "29":
            (seen,) = (await changed(socket))["changed"]
        frames = [frame for frame in socket.said[before:] if frame["op"] == "sessions"]
        assert len(frames) <= (loop.time() - start) + 2
        assert len(frames) < 30


@pytest.mark.conformance(54)
async def test_list_removed_when_reassigned_or_permission_lost(workspace: Workspace) -> None:
    admin = await workspace.agent(Role.ADMIN)
    bob, eve = await workspace.agent(), await workspace.agent()
    customer = await workspace.customer()
    bobs, eves, waiting = [await begun(customer) for _ in range(3)]
    await act(bob, bobs, "claim")
    await act(eve, eves, "claim")
    async with console(workspace, bob) as (shown, socket):
        assert set(shown.sessions) == {bobs, waiting}
        await act(admin, eves, "assign", {"assignee": agent_ref(admin)})
        await act(admin, bobs, "assign", {"assignee": agent_ref(eve)})
        frame = await changed(socket)
        assert (frame["changed"], frame["removed"]) == ([], [bobs])
        await act(eve, waiting, "claim")
        frame = await changed(socket)
        assert (frame["changed"], frame["removed"]) == ([], [waiting])
        await act(eve, bobs, "close")
        await act(admin, eves, "assign", {"assignee": agent_ref(bob)})
        frame = await changed(socket)
        assert ([one["id"] for one in frame["changed"]], frame["removed"]) == ([eves], [])


async def test_a_closed_session_leaves_every_view_and_comes_back_when_it_is_opened(
    workspace: Workspace,
) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    async with console(workspace, admin, "unassigned") as (_, socket):
        await act(admin, session_id, "close")
        assert (await changed(socket))["removed"] == [session_id]
        await act(admin, session_id, "reopen")
        (again,) = (await changed(socket))["changed"]
        assert (again["id"], again["status"]) == (session_id, "queued")


@pytest.mark.conformance(55)
async def test_list_cursor_410_relist_has_no_gap(workspace: Workspace) -> None:
    """Both doors say that the cursor is too old; a list made then goes on where it was read."""
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    ids = [await begun(customer) for _ in range(3)]
    shown = Console(admin, "all", 50)
    await shown.list()
    await say(customer, ids[0], "gone from the log")
    await raise_floor(workspace)
    response = await admin.get("/v1/sessions/changes", params={"after": shown.cursor})
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
    async with connected(workspace.service, admin) as socket:
        assert (await shown.subscribe(socket))["resumed"] is False
        assert (await socket.next("reset"))["reason"] == "cursor_expired"
        writing = asyncio.create_task(talk(customer, ids, 12))
        await shown.list()
        assert (await shown.subscribe(socket))["resumed"] is True
        following = asyncio.create_task(shown.follow(socket))
        await writing
        await settled(shown)
        following.cancel()


async def test_a_subscription_without_a_cursor_begins_with_the_window(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    ids = [await begun(customer) for _ in range(3)]
    shown = Console(admin, "all", 2)
    async with connected(workspace.service, admin) as socket:
        answer = await shown.subscribe(socket)
        assert (answer["resumed"], answer["stream"]) == (False, "sessions")
        shown.apply(await socket.next("sessions"))
        assert set(shown.sessions) == set(ids[1:])
        assert shown.counts == {"mine": 0, "team": 0, "unassigned": 3, "all": 3}
        assert answer["head_seq"] == position(shown.cursor) == (await head_of(workspace)).pos


async def test_a_window_that_shrinks_is_filled_by_the_next(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    ids = [await begun(each) for each in [customer, *[await workspace.customer()] * 3]]
    async with console(workspace, admin, window=2) as (shown, socket):
        assert list(shown.sessions) == [ids[3], ids[2]]
        await act(admin, ids[3], "close")
        frame = await changed(socket)
        assert ([one["id"] for one in frame["changed"]], frame["removed"]) == ([ids[1]], [ids[3]])
        await say(customer, ids[0])
        frame = await changed(socket)
        assert ([one["id"] for one in frame["changed"]], frame["removed"]) == ([ids[0]], [ids[1]])


async def test_counts_follow_what_comes_and_goes(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    async with console(workspace, bob, "mine") as (shown, socket):
        following = asyncio.create_task(shown.follow(socket))
        await until(lambda: shown.counts == {"mine": 0, "team": 0, "unassigned": 0, "all": 0})
        ids = [await begun(customer) for _ in range(3)]
        await until(lambda: shown.counts == {"mine": 0, "team": 0, "unassigned": 3, "all": 3})
        await act(bob, ids[0], "claim")
        await act(bob, ids[1], "close")
        await until(lambda: shown.counts == {"mine": 1, "team": 0, "unassigned": 1, "all": 2})
        following.cancel()


async def test_what_does_not_concern_a_reader_moves_the_cursor_all_the_same(
    workspace: Workspace,
) -> None:
    bob, eve, customer = (
        await workspace.agent(),
        await workspace.agent(),
        await workspace.customer(),
    )
    own, other = await begun(customer), await begun(customer)
    await act(bob, own, "claim")
    await act(eve, other, "claim")
    async with console(workspace, bob, "mine") as (_, socket):
        await talk(customer, [other], 5)
        await say(customer, own)
        frame = await changed(socket)
        assert [one["id"] for one in frame["changed"]] == [own]
        assert position(frame["cursor"]) == (await head_of(workspace)).pos
        await record_facts(workspace, 2_000)
        workspace.service.hub.feeds.hurry()
        empty = await socket.next("sessions")
        assert (empty["changed"], empty["removed"]) == ([], [])
        assert position(empty["cursor"]) > position(frame["cursor"]) + 1_000


async def test_a_list_is_followed_once_and_may_be_left(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    async with console(workspace, admin) as (shown, socket):
        assert (await shown.subscribe(socket, view="mine"))["problem"]["code"] == "conflict"
        socket.send(op="unsubscribe", id=9, stream="sessions")
        assert (await socket.next("ack"))["id"] == 9
        session_id = await begun(customer)
        answer = await shown.subscribe(socket, after=None)
        assert answer["op"] == "subscribed"
        assert [one["id"] for one in (await changed(socket))["changed"]] == [session_id]


async def test_the_list_holds_nothing_of_another_workspace(
    workspace: Workspace, other_workspace: Workspace
) -> None:
    admin, stranger = await workspace.agent(Role.ADMIN), await other_workspace.customer()
    async with console(workspace, admin) as (_, socket):
        foreign = await begun(stranger)
        own = await begun(await workspace.customer())
        assert [one["id"] for one in (await changed(socket))["changed"]] == [own]
        assert foreign not in str(socket.said)


async def test_what_changes_is_read_once_for_all_who_follow(workspace: Workspace) -> None:
    """Ten agents cost one query of the changed sessions, and one of the next of a common view."""
    customer = await workspace.customer()
    agents = [await workspace.agent() for _ in range(10)]
    ids = [await begun(customer) for _ in range(3)]
    followed = [console(workspace, agent, "unassigned", 2) for agent in agents]
    async with AsyncExitStack() as stack:
        consoles = [await stack.enter_async_context(each) for each in followed]
        with watching(workspace.service.database.engine) as sql:
            await act(agents[0], ids[2], "claim")
            frames = [await changed(socket) for _, socket in consoles]
        assert all(frame["removed"] == [ids[2]] for frame in frames)
        assert all([one["id"] for one in frame["changed"]] == [ids[0]] for frame in frames)
        lists = [each for each in sql.statements if "last_activity_at DESC" in each]
        assert len(lists) == 1
