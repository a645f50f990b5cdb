"""Who gets or loses sight while he is connected: sessions move, teams and roles change."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

import httpx2
import pytest

from chat_service.errors import CursorExpired
from chat_service.events.feed import Reset
from chat_service.events.transaction import reading
from chat_service.realtime.changes import read_changes
from chat_service.realtime.list_source import ListSource
from chat_service.schema import Cursor, Permission, Role
from chat_service.sessions.reach import reach_of
from chat_service.test.agents.staffing import (
    agent_with,
    give_to,
    new_role,
    new_team,
    put_in,
    regrant,
    take_out,
)
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.consoles import begun, changed, console, say
from chat_service.test.realtime.list_client import Console, connected, streamed
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service.test.sessions.calls import act
from chat_service.test.sessions.test_reach import caller_of
from chat_service.test.test_auth import another_process, at
from chat_service_client import AsyncChat

P = Permission
CHANGES = "/v1/sessions/changes"


@dataclass
class Cast:
    """A session that Eve holds for the team in which Bob is."""

    boss: Person
    bob: Person
    eve: Person
    customer: Person
    team_id: str
    session_id: str

    @property
    def path(self) -> str:
        """The address of its events."""
        return f"/v1/sessions/{self.session_id}/events"


@pytest.fixture
async def cast(workspace: Workspace) -> Cast:
    """People of the workspace."""
    boss, bob, eve = [await workspace.agent(role) for role in (Role.ADMIN, Role.AGENT, Role.AGENT)]
    customer = await workspace.customer()
    session_id, team_id = await begun(customer), await new_team(boss, bob)
    await act(eve, session_id, "claim")
    await give_to(boss, session_id, team_id)
    return Cast(boss, bob, eve, customer, team_id, session_id)


@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API1")
async def test_who_may_see_a_session_no_more_is_told_nothing_that_follows(
    address: Address, cast: Cast
) -> None:
    """A session that leaves the team; who holds it goes on."""
    async with address.socket(cast.bob) as socket, address.socket(cast.eve) as other:
        for each in (socket, other):
            assert (await each.follow(cast.session_id))["op"] == "subscribed"
        await give_to(cast.boss, cast.session_id, None)
        end = await socket.until("unsubscribed")
        assert (end["code"], end["resubscribe"]) == ("forbidden", False)
        await say(cast.customer, cast.session_id, "only for others")
        await other.until_seq(cast.session_id, 5)
        answer = await socket.follow(cast.session_id)
        assert (answer["op"], answer["problem"]["code"]) == ("error", "not_found")
    assert "only for others" not in str([socket.events, socket.heard])


@pytest.mark.asvs("8.3.2")
async def test_who_held_a_session_and_may_not_see_what_waits_loses_it(
    address: Address, workspace: Workspace
) -> None:
    """By any event that takes it from him, and not by an assignment alone."""
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    rights = {P.SESSIONS_READ_TEAM, P.SESSIONS_WRITE}
    bob = await agent_with(workspace, boss, *rights)
    session_id, team_id = await begun(customer), await new_team(boss, bob)
    await give_to(boss, session_id, team_id)
    async with address.socket(bob) as socket:
        await socket.follow(session_id)
        await give_to(boss, session_id, await new_team(boss))
        await socket.until("unsubscribed")


@pytest.mark.asvs("8.3.2")
async def test_a_stream_of_a_session_ends_where_it_leaves_the_team(
    workspace: Workspace, cast: Cast
) -> None:
    async with streamed(workspace.service, cast.bob, cast.path, after_seq=4) as stream:
        assert (await stream.next()).name == "state"
        await give_to(cast.boss, cast.session_id, None)
        await say(cast.customer, cast.session_id)
        assert await stream.ended()


@pytest.mark.parametrize("door", ["socket", "stream", "poll"])
@pytest.mark.parametrize("what", ["team", "role"])
@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API1")
async def test_other_rights_end_what_lasts_and_sign_nobody_out(
    workspace: Workspace, address: Address, what: str, door: str
) -> None:
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await begun(customer)
    role_id = await new_role(boss, P.SESSIONS_READ_TEAM)
    bob = await workspace.agent(role_id=role_id)
    team_id = await new_team(boss, bob)
    await give_to(boss, session_id, team_id)
    path, last = f"/v1/sessions/{session_id}/events", (await bob.events(session_id))[-1]

    async def lose() -> None:
        if what == "team":
            await take_out(boss, team_id, bob)
        else:
            await regrant(boss, role_id, P.MESSAGES_WRITE)
        await say(customer, session_id, "only for others")

    if door == "socket":
        async with address.socket(bob) as socket:
            await socket.follow(session_id, after=last["cursor"])
            await lose()
            assert await socket.closed() == 4003
        assert "only for others" not in str([socket.events, socket.heard])
    elif door == "stream":
        async with streamed(workspace.service, bob, path, after=last["cursor"]) as stream:
            await stream.next()
            await lose()
            assert await stream.ended()
    else:
        asking = bob.get(path, params={"after": last["cursor"], "wait": 25})
        waiting = asyncio.create_task(asking)
        await asyncio.sleep(0.2)
        await lose()
        assert (await asyncio.wait_for(waiting, PATIENCE)).status_code == 404
    assert (await bob.get("/v1/agents/me/availability")).status_code == 200


async def test_others_stay_connected(address: Address, workspace: Workspace, cast: Cast) -> None:
    role_id = await new_role(cast.boss, P.SESSIONS_READ_ASSIGNED)
    mate = await workspace.agent(role_id=role_id)
    async with address.socket(cast.eve) as socket, address.socket(mate) as other:
        await take_out(cast.boss, cast.team_id, cast.bob)
        await cast.boss.call("PATCH", f"/v1/roles/{role_id}", json={"name": "Another name"})
        await regrant(cast.boss, await new_role(cast.boss), P.MESSAGES_WRITE)
        await socket.follow(cast.session_id)
        await say(cast.customer, cast.session_id)
        await socket.until_seq(cast.session_id, 4)
        await other.say(op="ping", t=1)
        await other.until("pong")


async def test_resuming_after_other_rights_passes_over_nothing_and_repeats_nothing(
    address: Address, cast: Cast
) -> None:
    seqs: list[int] = []
    after = (await cast.eve.events(cast.session_id))[0]["cursor"]
    async with address.socket(cast.eve) as socket:
        await socket.follow(cast.session_id, after=after)
        await socket.until_seq(cast.session_id, 4)
        await asyncio.gather(
            *(say(cast.customer, cast.session_id, str(number)) for number in range(5)),
            put_in(cast.boss, cast.team_id, [cast.eve]),
        )
        assert await socket.closed() == 4003
    for events in socket.events.values():
        seqs += [event["seq"] for event in events]
        after = events[-1]["cursor"]
    async with address.socket(cast.eve) as again:
        await again.follow(cast.session_id, after=after)
        for event in await again.until_seq(cast.session_id, 9):
            seqs.append(event["seq"])
    assert seqs == list(range(2, 10))


async def test_the_python_client_goes_on_by_itself(address: Address, cast: Cast) -> None:
    told: list[int] = []
    async with AsyncChat(f"http://{address.place}", cast.bob.token) as chat:
        async with asyncio.timeout(PATIENCE), aclosing(chat.follow(cast.session_id)) as events:
            async for event in events:
                told.append(event["seq"])
                if len(told) == 4:
                    await new_team(cast.boss, cast.bob)
                    await say(cast.customer, cast.session_id)
                if len(told) == 5:
                    break
    assert told == [1, 2, 3, 4, 5]


@pytest.mark.conformance(54)
@pytest.mark.asvs("8.3.2")
async def test_a_session_that_leaves_the_team_is_removed(workspace: Workspace, cast: Cast) -> None:
    theirs = await new_team(cast.boss, cast.eve)
    for view in ("team", "all"):
        await give_to(cast.boss, cast.session_id, cast.team_id)
        async with console(workspace, cast.bob, view) as (shown, socket):
            after = shown.cursor
            assert set(shown.sessions) == {cast.session_id}
            await give_to(cast.boss, cast.session_id, theirs)
            frame = await changed(socket)
            assert (frame["changed"], frame["removed"]) == ([], [cast.session_id])
            params = {"view": view, "after": after}
            page = (await cast.bob.get(CHANGES, params=params)).json()
            assert (page["changed"], page["removed"]) == ([], [cast.session_id])
            await give_to(cast.boss, cast.session_id, cast.team_id)
            assert [one["id"] for one in (await changed(socket))["changed"]] == [cast.session_id]


async def test_counts_follow_teams_and_count_nothing_twice(
    workspace: Workspace, cast: Cast
) -> None:
    """What is Bob's own and in his team, and what waits there, is one each."""
    own, waiting = await begun(cast.customer), await begun(cast.customer)
    await act(cast.bob, own, "claim")
    shown = Console(cast.bob, "all", 50)
    async with connected(workspace.service, cast.bob) as socket:
        await shown.subscribe(socket)

        async def counted() -> Json:
            while True:
                frame = await socket.next("sessions")
                if frame["counts"] is not None:
                    return dict(frame["counts"])

        assert await counted() == {"mine": 1, "team": 1, "unassigned": 1, "all": 3}
        for session_id, counts in (
            (own, {"mine": 1, "team": 2, "unassigned": 1, "all": 3}),
            (waiting, {"mine": 1, "team": 3, "unassigned": 1, "all": 3}),
        ):
            await give_to(cast.boss, session_id, cast.team_id)
            assert await counted() == counts
        await give_to(cast.boss, cast.session_id, None)
        assert await counted() == {"mine": 1, "team": 2, "unassigned": 1, "all": 2}


@pytest.mark.conformance(54)
@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API1")
async def test_the_list_of_a_former_member_is_begun_anew_and_lacks_what_he_lost(
    workspace: Workspace, cast: Cast
) -> None:
    shown = Console(cast.bob, "all", 50)
    await shown.list()
    assert set(shown.sessions) == {cast.session_id}
    async with connected(workspace.service, cast.bob) as socket:
        assert (await shown.subscribe(socket))["resumed"] is True
        await take_out(cast.boss, cast.team_id, cast.bob)
        assert (await socket.next("goodbye"))["code"] == 4003
    for method in ("socket", "http"):
        if method == "http":
            response = await cast.bob.get(CHANGES, params={"after": shown.cursor})
            assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
            continue
        async with connected(workspace.service, cast.bob) as socket:
            assert (await shown.subscribe(socket))["resumed"] is False
            assert (await socket.next("reset"))["reason"] == "cursor_expired"
            fresh = Console(cast.bob, "all", 50)
            await fresh.list()
            assert fresh.sessions == {}
            assert (await fresh.subscribe(socket))["resumed"] is True
            await say(cast.customer, cast.session_id, "only for others")
            waiting = await begun(await workspace.customer())
            assert [one["id"] for one in (await changed(socket))["changed"]] == [waiting]
    assert "only for others" not in str(socket.said)


async def test_a_new_member_sees_what_his_team_had_before(workspace: Workspace, cast: Cast) -> None:
    eve = await workspace.agent()
    shown = Console(eve, "team", 50)
    await shown.list()
    await put_in(cast.boss, cast.team_id, [eve])
    async with connected(workspace.service, eve) as socket:
        assert (await shown.subscribe(socket))["resumed"] is False
        await shown.list()
        assert set(shown.sessions) == {cast.session_id}
        assert (await shown.subscribe(socket))["resumed"] is True


@pytest.mark.asvs("8.3.2")
async def test_what_is_remembered_of_a_caller_decides_no_list(
    workspace: Workspace, cast: Cast
) -> None:
    """A process may know an agent for a second as he was; his cursors would pass over the change."""
    before = await caller_of(workspace, cast.bob)
    old = (await cast.bob.get("/v1/sessions")).json()["feed_cursor"]
    await take_out(cast.boss, cast.team_id, cast.bob)
    await say(cast.customer, cast.session_id)
    cursor = (await cast.eve.get("/v1/sessions")).json()["feed_cursor"]
    reach = reach_of(before, "all")
    with workspace.service.database.bound():
        for after in (Cursor.parse(cursor), None):
            found = await ListSource().start(before, reach, after, size=5, counted=[reach])
            assert found is Reset.CURSOR_EXPIRED
        async with reading() as db:
            with pytest.raises(CursorExpired):
                await read_changes(db, before, "all", Cursor.parse(old), limit=200)
            whole = Cursor.parse("c1.w.0")
            page = await read_changes(db, before, "all", whole, limit=200)
    assert page.changed == []


@pytest.mark.parametrize("by", ["stream", "poll"])
async def test_a_reader_of_changes_whose_rights_change_lists_again(
    workspace: Workspace, cast: Cast, by: str
) -> None:
    after = (await cast.bob.get("/v1/sessions")).json()["feed_cursor"]
    if by == "poll":
        asking = cast.bob.get(CHANGES, params={"after": after, "wait": 25})
        waiting = asyncio.create_task(asking)
        await asyncio.sleep(0.2)
        await take_out(cast.boss, cast.team_id, cast.bob)
        answer: httpx2.Response = await asyncio.wait_for(waiting, PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
        return
    async with streamed(workspace.service, cast.bob, CHANGES, after=after) as stream:
        await stream.next()
        await take_out(cast.boss, cast.team_id, cast.bob)
        await say(cast.customer, cast.session_id)
        assert cast.session_id not in await stream.rest()


@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API1")
async def test_a_hello_and_a_list_go_by_no_remembered_rights(
    workspace: Workspace, cast: Cast, turning_clock: TurningClock
) -> None:
    apart = another_process(workspace.service, turning_clock, recheck_seconds=60)
    async with apart as (other, there), served(other) as elsewhere:
        bob, path = at(there, cast.bob), f"/v1/sessions/{cast.session_id}"
        assert (await bob.get(path)).status_code == 200
        await take_out(cast.boss, cast.team_id, cast.bob)
        assert (await bob.get(path)).status_code == 200, "not remembered"
        assert (await bob.get("/v1/sessions")).json()["data"] == []
        async with elsewhere.socket(bob) as socket:
            answer = await socket.follow(cast.session_id)
            assert (answer["op"], answer["problem"]["code"]) == ("error", "not_found")
