"""Cursors that no longer fit, that were never given, or that are of somebody else: 30 to 35, 60."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select

from chat_service.app import Service
from chat_service.events.log import EVENTS
from chat_service.schema import Role
from chat_service.test.builders import Json, Person, Workspace, build_workspace, writing
from chat_service.test.conformance.scene import Scene
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service.test.sessions.calls import act, waiting
from chat_service_client import AsyncChat

MARKER = "nobody-else-reads-this"


@asynccontextmanager
async def without_its_first(
    workspace: Workspace, session_id: str, *, upto: int
) -> AsyncIterator[None]:
    """A session of which retention took the first events, for a while."""
    ours = EVENTS.c.workspace_id == workspace.id, EVENTS.c.session_id == UUID(session_id)
    old = *ours, EVENTS.c.seq <= upto
    async with writing(workspace.service) as db:
        rows = [dict(row._mapping) for row in await db.execute(select(EVENTS).where(*old))]
        await db.execute(delete(EVENTS).where(*old))
    yield
    async with writing(workspace.service) as db:
        await db.execute(insert(EVENTS), rows)


async def over_sse(address: Address, person: Person, session_id: str, after: str) -> Json:
    """How a stream begins that cannot: the problem."""
    headers = {"Last-Event-ID": after}
    async with address.stream(person, session_id, headers=headers) as source:
        problem: Json = {"status": source.response.status_code}
        if not source.response.is_success:
            await source.response.aread()
            problem = source.response.json()
    return problem


@pytest.mark.conformance(30)
async def test_edits_deletes_and_status_changes_made_while_offline_arrive(
    address: Address, scene: Scene
) -> None:
    customer, session_id = scene.customer, scene.session_id
    async with address.socket(customer) as phone:
        await phone.follow(session_id, after="c1.p.0")
        cursor = phone.events[f"session:{session_id}"][-1]["cursor"]
    gone = (await customer.send(session_id, "Gone soon")).json()["message"]
    words = {"content": {"type": "text", "text": "Other words"}}
    assert (await customer.call("PATCH", scene.words, json=words)).status_code == 200
    deleted = await customer.call("DELETE", f"{scene.path}/messages/{gone['id']}")
    assert deleted.status_code == 204
    for who, action in ((scene.bob, "claim"), (scene.bob, "close"), (scene.boss, "reopen")):
        await act(who, session_id, action)
    expected = [
        "message.created",
        "message.updated",
        "message.deleted",
        "session.assigned",
        "participant.joined",
        "session.closed",
        "session.reopened",
    ]
    async with address.socket(customer) as phone:
        assert (await phone.follow(session_id, after=cursor))["resumed"]
        events = await phone.until_seq(session_id, 1 + len(expected))
    assert [event["type"] for event in events] == expected
    assert await customer.events(session_id, after=cursor, wait=1) == events
    told = [event["data"]["message"] for event in events if "message" in event["data"]]
    assert {each["id"]: each for each in told} == {
        each["id"]: each for each in await customer.messages(session_id)
    }
    now = (await customer.get(scene.path)).json()["session"]
    assert events[-1]["session"]["status"] == now["status"] == "open"


@pytest.mark.conformance(31)
async def test_cursor_expired_gives_reset_with_snapshot(
    address: Address, workspace: Workspace, scene: Scene
) -> None:
    customer, session_id = scene.customer, scene.session_id
    for number in range(2, 8):
        await customer.send(session_id, str(number))
    old = (await customer.events(session_id))[2]["cursor"]
    async with without_its_first(workspace, session_id, upto=4):
        async with address.socket(customer) as phone:
            assert (await phone.follow(session_id, after=old))["resumed"] is False
            assert (await phone.until("reset"))["reason"] == "cursor_expired"
            snapshot = await phone.until("snapshot")
            assert (snapshot["as_of_seq"], len(snapshot["messages"])) == (7, 7)
            await customer.send(session_id, "8")
            assert [each["seq"] for each in await phone.until_seq(session_id, 8)] == [8]
        async with address.socket(customer) as strict:
            stream = f"session:{session_id}"
            await strict.say(op="subscribe", id=1, stream=stream, after=old, on_reset="error")
            ended = await strict.until("unsubscribed", stream=stream)
            assert (ended["code"], ended["resubscribe"]) == ("cursor_expired", True)
        assert (await over_sse(address, customer, session_id, old))["code"] == "cursor_expired"
        page = await customer.get(f"{scene.path}/events", params={"after": old, "wait": 20})
        assert (page.status_code, page.json()["code"]) == (410, "cursor_expired")


@pytest.mark.conformance(32)
async def test_cursor_ahead_gives_reset_and_no_busy_loop(address: Address, scene: Scene) -> None:
    customer, session_id = scene.customer, scene.session_id
    ahead = "c1.p.99.00000000"
    async with address.socket(customer) as phone:
        assert (await phone.follow(session_id, after=ahead))["resumed"] is False
        assert (await phone.until("reset"))["reason"] == "cursor_ahead"
        cursor = (await phone.until("snapshot"))["cursor"]
        await customer.send(session_id, "2")
        await phone.until_seq(session_id, 2)
        assert [each["op"] for each in phone.heard if each["op"] in ("reset", "snapshot")] == []
    async with address.socket(customer) as phone:
        assert (await phone.follow(session_id, after=cursor))["resumed"] is True
        assert [each["seq"] for each in await phone.until_seq(session_id, 2)] == [2]
    assert (await over_sse(address, customer, session_id, ahead))["code"] == "cursor_ahead"
    page = await customer.get(f"{scene.path}/events", params={"after": ahead, "wait": 20})
    assert (page.status_code, page.json()["code"]) == (409, "cursor_ahead")


class Tomorrow:
    """A service that knows a type of event which its clients have never heard of."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, with `message.updated` under another name of the same length."""

        async def renamed(message: Json) -> None:
            for name, old in (("text", "message.updated"), ("body", b"message.updated")):
                if name in message:
                    new: Any = "message.praised" if isinstance(old, str) else b"message.praised"
                    message[name] = message[name].replace(old, new)
            await send(message)

        await self._service(scope, receive, renamed)


@pytest.mark.conformance(35)
@pytest.mark.parametrize("ws", ["websockets-sansio", "none"], ids=["websocket", "sse"])
async def test_unknown_event_type_still_advances_seq(
    workspace: Workspace, scene: Scene, ws: str
) -> None:
    customer, session_id = scene.customer, scene.session_id
    for number in range(2):
        words = {"content": {"type": "text", "text": str(number)}}
        assert (await customer.call("PATCH", scene.words, json=words)).status_code == 200
    await customer.send(session_id, "Last")
    async with served(Tomorrow(workspace.service), ws=ws) as address:
        async with AsyncChat(f"http://{address.place}", customer.token) as chat:
            seen: list[tuple[int, str]] = []
            async with asyncio.timeout(PATIENCE), aclosing(chat.follow(session_id)) as events:
                async for event in events:
                    seen.append((event["seq"], event["type"]))
                    if len(seen) == 4:
                        break
    assert seen == [
        (1, "message.created"),
        (2, "message.praised"),
        (3, "message.praised"),
        (4, "message.created"),
    ]


@pytest.mark.conformance(60)
async def test_foreign_cursor_gives_nothing(
    address: Address, service: Service, workspace: Workspace, scene: Scene
) -> None:
    """Whatever a cursor names, what is told is of the session and numbering of the caller."""
    elsewhere = await build_workspace(service, workspace.client)
    cursors: list[str] = []
    for place in (workspace, elsewhere):
        carl, boss = await place.customer(), await place.agent(Role.ADMIN)
        other = await waiting(carl, text=MARKER)
        await carl.send(other, MARKER)
        for person in (carl, boss):
            cursors += [event["cursor"] for event in await person.events(other)]
        listed = (await boss.get("/v1/sessions")).json()
        cursors.append(listed["feed_cursor"])
    for person in (scene.customer, scene.bob):
        for cursor in cursors:
            assert MARKER not in await all_told(address, person, scene.session_id, cursor)


async def all_told(address: Address, person: Person, session_id: str, cursor: str) -> str:
    """What each transport tells of a session behind a cursor, and the list of what changed."""
    told: list[Any] = [await over_sse(address, person, session_id, cursor)]
    async with address.socket(person) as socket:
        await socket.ask("subscribe", stream=f"session:{session_id}", after=cursor)
        await socket.ask("subscribe", stream="sessions", after=cursor)
        await socket.say(op="ping", t=1)
        await socket.until("pong")
        told += [socket.heard, socket.events]
    for path in (f"/v1/sessions/{session_id}/events", "/v1/sessions/changes"):
        told.append((await person.get(path, params={"after": cursor})).text)
    return str(told)
