"""Where the agents' list cannot go on from a cursor, or may not be followed at all."""

import asyncio

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Workspace
from chat_service.test.events.logs import record_facts
from chat_service.test.realtime.consoles import begun, changed, console, say, settled
from chat_service.test.realtime.list_client import Console, connected
from chat_service.test.realtime.rewinds import Rewind


@pytest.mark.parametrize("on_reset", ["snapshot", "error"])
async def test_too_far_behind_is_a_reset(workspace: Workspace, on_reset: str) -> None:
    admin = await workspace.agent(Role.ADMIN)
    shown = Console(admin, "all", 50)
    await shown.list()
    await record_facts(workspace, 5_001)
    async with connected(workspace.service, admin) as socket:
        answer = await shown.subscribe(socket, on_reset=on_reset)
        assert (answer["op"], answer["resumed"]) == ("subscribed", False)
        end = await socket.next("reset", "unsubscribed")
        assert end.get("reason", end.get("code")) == "too_far_behind"
        assert end.get("resubscribe", True)
        response = await admin.get("/v1/sessions/changes", params={"after": shown.cursor})
        assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
        await shown.list()
        assert (await shown.subscribe(socket))["resumed"] is True


async def test_a_log_that_was_set_back_resets_those_who_follow(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    rewind = await Rewind.note(workspace)
    async with console(workspace, admin) as (shown, socket):
        await say(customer, session_id, "lost")
        await changed(socket)
        await rewind.do()
        assert (await socket.next("reset"))["reason"] == "rewound"
        await say(customer, session_id, "kept")
        await shown.list()
        assert (await shown.subscribe(socket))["resumed"] is True
        following = asyncio.create_task(shown.follow(socket))
        await say(customer, session_id, "and more")
        await settled(shown)
        following.cancel()


async def test_a_cursor_of_a_log_that_is_no_more_is_a_reset(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    rewind = await Rewind.note(workspace)
    await say(customer, session_id, "lost")
    shown = Console(admin, "all", 50)
    await shown.list()
    await rewind.do()
    async with connected(workspace.service, admin) as socket:
        for code in ("cursor_ahead", "cursor_mismatch"):
            await shown.subscribe(socket)
            assert (await socket.next("reset"))["reason"] == code
            response = await admin.get("/v1/sessions/changes", params={"after": shown.cursor})
            assert (response.status_code, response.json()["code"]) == (409, code)
            await say(customer, session_id, "another")


async def test_customers_may_not_follow_the_list(workspace: Workspace) -> None:
    customer = await workspace.customer()
    await begun(customer)
    async with connected(workspace.service, customer) as socket:
        socket.send(op="subscribe", id=3, stream="sessions")
        error = await socket.next("error", "subscribed")
        assert (error["id"], error["problem"]["code"]) == (3, "forbidden")
        assert [frame["op"] for frame in socket.said] == ["welcome", "error"]


@pytest.mark.parametrize("after", ["c1.s.1.0123abcd", "c1.p.0", "yesterday", ""])
async def test_a_cursor_of_another_log_is_refused(workspace: Workspace, after: str) -> None:
    async with connected(workspace.service, await workspace.agent()) as socket:
        socket.send(op="subscribe", id=4, stream="sessions", after=after)
        error = await socket.next("error", "subscribed")
        assert (error["id"], error["problem"]["code"]) == (4, "cursor_invalid")
