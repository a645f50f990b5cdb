"""Brokers between processes: what arrives where, and what an outage does."""

import asyncio

import pytest
from structlog.testing import capture_logs

from chat_service.events.broker import Ephemeral, Hint, Message
from chat_service.events.broker_outbox import BATCH
from chat_service.schema import SessionId, Visibility, WorkspaceId, new_id
from chat_service.test.events.peers import CALM_SECONDS, Machine, Place
from chat_service.test.proxy import proxied, reaching_nothing

SENDER = "0123456789abcdef"


GARBAGE = ["", "x", SENDER, f"{SENDER}{{}}", f'{SENDER}{{"kind":"hint"}}', "\u00e9" * 3_800]


def typing(workspace_id: WorkspaceId) -> Ephemeral:
    """Somebody writes."""
    return Ephemeral(
        workspace=workspace_id,
        session=SessionId(new_id()),
        visibility=Visibility.INTERNAL,
        frame={"type": "typing", "is_typing": True, "name": "Zoë \U0001f600 \x00"},
    )


async def test_a_message_of_each_kind_arrives_as_it_was(
    place: Place, workspace_id: WorkspaceId
) -> None:
    messages: list[Message] = [
        Hint(workspace=workspace_id, pos=2**63 - 1),
        typing(workspace_id),
    ]
    async with place.peer() as one, place.peer(workspace_id) as other:
        for message in messages:
            one.broker.publish(message)
        for message in messages:
            await other.hears(message)
    assert len(other.received) == 2


async def test_a_process_never_hears_itself(place: Place, workspace_id: WorkspaceId) -> None:
    asked: list[Message] = [typing(workspace_id), Hint(workspace=workspace_id, pos=1)]
    answer = Hint(workspace=workspace_id, pos=2)
    async with place.peer(workspace_id) as one, place.peer(workspace_id) as other:
        for message in asked:
            one.broker.publish(message)
        await other.hears(asked[0])
        await other.hears(asked[1])
        other.broker.publish(answer)
        await one.hears(answer)
    assert one.received == [answer]


async def test_hints_of_a_turn_arrive_as_the_highest(
    place: Place, workspace_id: WorkspaceId
) -> None:
    async with place.peer() as one, place.peer(workspace_id) as other:
        for pos in (1, 7, 3):
            one.broker.publish(Hint(workspace=workspace_id, pos=pos))
        await other.hears(Hint(workspace=workspace_id, pos=7))
    assert len(other.received) == 1


async def test_more_than_fits_into_one_batch_arrives(place: Place) -> None:
    hints = [Hint(workspace=WorkspaceId(new_id()), pos=pos) for pos in range(1_000)]
    watched = [hint.workspace for hint in hints]
    async with place.peer() as one, place.peer(*watched) as other:
        for hint in hints:
            one.broker.publish(hint)
        await other.hears(hints[-1])
        await other.hears(hints[0])
    assert sorted(other.received, key=str) == sorted(hints, key=str)


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_logged_and_dropped(
    place: Place, workspace_id: WorkspaceId, garbage: str
) -> None:
    hint = Hint(workspace=workspace_id, pos=1)
    async with place.peer() as one, place.peer(workspace_id) as other:
        with capture_logs() as logs:
            await place.shout(workspace_id, garbage)
            one.broker.publish(hint)
            await other.hears(hint)
    assert other.received == [hint]
    lines = [line for line in logs if line["event"] == "garbage from the broker"]
    assert lines and lines[0]["bytes"] == len(garbage.encode())
    assert not garbage or garbage not in str(lines[0])


async def test_what_waits_is_sent_before_the_end(place: Place) -> None:
    hints = [Hint(workspace=WorkspaceId(new_id()), pos=1) for _ in range(3 * BATCH)]
    async with place.peer(hints[-1].workspace) as other:
        async with place.peer() as one:
            for hint in hints:
                one.broker.publish(hint)
        await other.hears(hints[-1])


async def test_a_killed_broker_is_missed_and_found_again(
    killable: tuple[Machine, Place], workspace_id: WorkspaceId
) -> None:
    machine, place = killable
    async with place.peer(workspace_id) as one, place.peer(workspace_id) as other:
        await asyncio.to_thread(machine.kill)
        await one.is_told(False, True)
        await other.is_told(False, True)
        await asyncio.to_thread(machine.start)
        await one.is_told(False, True, False)
        await other.is_told(False, True, False)
        await one.tells(other, workspace_id)
        await other.tells(one, workspace_id)


async def test_no_publisher_waits_and_the_highest_hint_of_an_outage_is_told_after_it(
    place: Place, workspace_id: WorkspaceId
) -> None:
    async with proxied(place.reach()) as proxy, place.peer(workspace_id) as other:
        proxy.is_blocked = True
        async with place.behind(proxy, CALM_SECONDS).starting_peer() as one:
            await one.is_told(True)
            for pos in range(10_000):
                one.broker.publish(Hint(workspace=workspace_id, pos=pos))
                one.broker.publish(typing(workspace_id))
            proxy.is_blocked = False
            await other.hears(Hint(workspace=workspace_id, pos=9_999))
    assert len([message for message in other.received if isinstance(message, Hint)]) == 1


@pytest.mark.conformance("listener_rebuilds_after_half_open_link")
async def test_listener_rebuilds_after_half_open_link(
    place: Place, workspace_id: WorkspaceId
) -> None:
    async with proxied(place.reach()) as proxy, place.peer(workspace_id) as one:
        async with place.behind(proxy).peer(workspace_id) as other:
            proxy.silence()
            await other.is_told(False, True, False)
            await one.tells(other, workspace_id)
            await other.tells(one, workspace_id)
    assert one.outages == [False]


async def test_a_link_that_takes_no_more_is_rebuilt(
    place: Place, workspace_id: WorkspaceId
) -> None:
    large = Ephemeral(
        workspace=workspace_id,
        session=SessionId(new_id()),
        visibility=Visibility.PUBLIC,
        frame={"text": "x" * 6_900},
    )
    async with proxied(place.reach()) as proxy, place.peer(workspace_id) as other:
        async with place.behind(proxy).peer() as one:
            proxy.silence()
            for _ in range(4_000):
                one.broker.publish(large)
            await one.is_told(False, True, False)
            await one.tells(other, workspace_id)


async def test_starts_and_ends_where_nothing_answers(
    place: Place, workspace_id: WorkspaceId
) -> None:
    async with proxied(reaching_nothing) as proxy:
        async with place.behind(proxy).starting_peer() as peer:
            peer.broker.publish(Hint(workspace=workspace_id, pos=1))
            await peer.is_told(True)


async def test_a_broker_that_was_never_started_ends(place: Place) -> None:
    await place.broker().stop()
