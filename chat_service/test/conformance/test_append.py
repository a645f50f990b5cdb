"""Append and repeats: the promises 1 to 7, 17 and 56, and the return of a customer."""

import asyncio
from itertools import cycle

import pytest

from chat_service.messages import services as messages
from chat_service.schema import Role, utc_now
from chat_service.test.builders import Json, Workspace, message, writing
from chat_service.test.conformance.acts import draft_by, renewed
from chat_service.test.conformance.conftest import Elsewhere
from chat_service.test.fakes import TurningClock

SENDERS = 64
COPIES = 50
ROUNDS = 10


class Crash(Exception):
    """What ends a transaction of these tests."""


def numbers(events: list[Json]) -> list[int]:
    """The numbers of events as they were shown."""
    return [event["seq"] for event in events]


@pytest.mark.conformance(1)
async def test_send_returns_seq_one_for_first_message(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session = (await customer.start(None))["session"]
    assert (session["status"], session["assignee"]) == ("queued", None)
    sent = (await customer.send(session["id"])).json()
    assert sent["message"]["seq"] == 1
    (stored,) = await key.messages(session["id"])
    assert (stored["seq"], stored["public_seq"]) == (1, 1)


@pytest.mark.conformance(2)
async def test_seq_is_gapless_under_64_concurrent_senders(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    boss = await workspace.agent(Role.ADMIN)
    session_id = (await customer.start())["session"]["id"]

    async def sender(place: int) -> None:
        for _ in range(4):
            if place % 4 == 0:
                told = await boss.send(session_id, visibility="internal")
            elif place % 5 == 0:
                told = await key.send(session_id, reply_to_id=session_id)
                assert told.status_code == 422
                continue
            else:
                told = await (customer if place % 2 else key).send(session_id)
            assert told.status_code == 201, told.text

    await asyncio.gather(*(sender(place) for place in range(SENDERS)))
    for reader in (customer, boss):
        seen = await reader.events(session_id, limit=500)
        assert numbers(seen) == list(range(1, len(seen) + 1))
    said = await customer.messages(session_id, limit=200)
    assert len(said) == 1 + 4 * sum(1 for place in range(SENDERS) if place % 4 and place % 5)


@pytest.mark.conformance(3)
async def test_seq_has_no_hole_after_rollback_and_crash_mid_transaction(
    workspace: Workspace,
) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = (await customer.start())["session"]["id"]
    for crash in (False, True):
        draft = await draft_by(workspace.service, customer, session_id)
        with pytest.raises(Crash):
            async with writing(workspace.service) as db:
                await messages.write(
                    db, [draft], limits=workspace.service.config.limits, now=utc_now()
                )
                if crash:
                    await (await db.connection()).invalidate()
                raise Crash
        assert (await customer.send(session_id)).status_code == 201
    seen = await key.events(session_id)
    assert numbers(seen) == [event["public_seq"] for event in seen] == [1, 2, 3]


@pytest.mark.conformance(4)
async def test_same_client_message_id_concurrent_x50_creates_one_message(
    workspace: Workspace, on_nodes: Elsewhere
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    body, path = message(), f"/v1/sessions/{session_id}/messages"
    copies = zip(range(COPIES), cycle(on_nodes(customer)), strict=False)
    told = await asyncio.gather(*(each.post(path, body) for _, each in copies))
    assert [answer.status_code for answer in told] == [201] * COPIES
    assert sum("Idempotent-Replayed" not in answer.headers for answer in told) == 1
    assert all(answer.json() == told[0].json() for answer in told)
    assert await customer.messages(session_id) == [told[0].json()["message"]]


@pytest.mark.conformance(5)
async def test_same_client_message_id_after_24h_returns_same_message(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    body, path = message(), f"/v1/sessions/{session_id}/messages"
    first = await customer.post(path, body)
    clock.turn(hours=24)
    again = await (await renewed(customer)).post(path, body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


@pytest.mark.conformance(6)
async def test_same_client_message_id_other_body_is_422(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    body = message("Hello")
    await customer.post(f"/v1/sessions/{session_id}/messages", body)
    other = await customer.send(session_id, "Bye", client_message_id=body["client_message_id"])
    assert (other.status_code, other.json()["code"]) == (422, "client_message_id_reused")
    assert [each["content"]["text"] for each in await customer.messages(session_id)] == ["Hello"]


@pytest.mark.conformance(7)
async def test_client_message_id_is_scoped_to_author_and_session(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    boss, other = await workspace.agent(Role.ADMIN), await workspace.agent(Role.ADMIN)
    here, there = [(await customer.start(None))["session"]["id"] for _ in range(2)]
    body = message()
    senders = [(customer, here), (boss, here), (other, here), (key, here), (customer, there)]
    told = [await who.post(f"/v1/sessions/{where}/messages", body) for who, where in senders]
    assert [answer.status_code for answer in told] == [201] * 5
    assert len({answer.json()["message"]["id"] for answer in told}) == 5


@pytest.mark.conformance(17)
async def test_send_to_closed_session_is_409_and_consumes_no_seq(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer, key = await workspace.customer(), await workspace.key(days=3)
    session_id = (await customer.start())["session"]["id"]
    await customer.post(f"/v1/sessions/{session_id}/close")
    before = await key.events(session_id)
    clock.turn(hours=24, seconds=1)
    for sender in (await renewed(customer), key):
        told = await sender.send(session_id)
        assert (told.status_code, told.json()["code"]) == (409, "session_closed")
        assert told.json()["reopen"] is False
    assert await key.events(session_id) == before
    note = await key.send(session_id, visibility="internal")
    assert note.json()["message"]["seq"] == len(before) + 1


@pytest.mark.conformance("customer_message_reopens_inside_the_window")
async def test_customer_message_reopens_inside_the_window(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer, bob = await workspace.customer(), await workspace.agent()
    session_id = (await customer.start())["session"]["id"]
    await bob.send(session_id, "Let me see")
    await bob.post(f"/v1/sessions/{session_id}/close")
    clock.turn(hours=23, minutes=59)
    customer = await renewed(customer)
    told = await customer.send(session_id, "One more thing")
    assert told.status_code == 201
    session = (await customer.get(f"/v1/sessions/{session_id}")).json()["session"]
    assert (session["status"], session["assignee"]["id"]) == ("open", bob.id)
    reopened, said = (await customer.events(session_id))[-2:]
    assert (reopened["type"], said["type"]) == ("session.reopened", "message.created")
    assert reopened["timestamp"] == said["timestamp"]


@pytest.mark.conformance(56)
async def test_two_agents_claim_one_session_one_wins_409(
    workspace: Workspace, on_nodes: Elsewhere
) -> None:
    customer = await workspace.customer()
    agents = [await workspace.agent(), await workspace.agent()]
    for _ in range(ROUNDS):
        session_id = (await customer.start())["session"]["id"]
        path = f"/v1/sessions/{session_id}/claim"
        claims = (on_nodes(agent)[place].post(path) for place, agent in enumerate(agents))
        told = await asyncio.gather(*claims)
        assert sorted(answer.status_code for answer in told) == [200, 409]
        winner, loser = sorted(told, key=lambda answer: answer.status_code)
        holder = winner.json()["session"]["assignee"]["id"]
        assert loser.json()["code"] == "already_assigned"
        assert loser.json()["assignee"] == {"type": "agent", "id": holder}
        await customer.post(f"/v1/sessions/{session_id}/close")
