"""What is not for a caller reaches him over no transport: 57 and 59."""

import asyncio
import json
import re
from typing import Any

import pytest

from chat_service.app import Service
from chat_service.realtime.frames import SESSION
from chat_service.schema import Role
from chat_service.test.addresses import Stage, addresses, build_stage, caller_of
from chat_service.test.builders import Json, Person, Workspace, build_workspace, message, unique
from chat_service.test.conformance.scene import Scene
from chat_service.test.operations.test_asyncapi import DOCUMENT, MESSAGES
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service.test.security.world import MISSING
from chat_service.test.sessions.calls import act

NOTE = "marker-of-a-note"
META = "marker-of-metadata"
PUBLIC = "words for the customer"
SENTINEL = "the last words"
OF_SESSIONS = [address for address in addresses() if "{session_id}" in address]


async def work(scene: Scene) -> None:
    """Staff talk among themselves, and now and then to the customer."""
    for number in range(3):
        note = (await scene.boss.send(scene.session_id, NOTE, visibility="internal")).json()
        path = f"{scene.path}/messages/{note['message']['id']}"
        words = {"content": {"type": "text", "text": f"{NOTE} again"}}
        assert (await scene.boss.call("PATCH", path, json=words)).status_code == 200
        typing = {"is_typing": True, "visibility": "internal"}
        await scene.boss.post(f"{scene.path}/typing", typing)
        if number == 1:
            assert (await scene.boss.call("DELETE", path)).status_code == 204
        fields: Json = {"tags": [f"{META}-{number}"], "custom_attributes": {META: number}}
        assert (await scene.boss.call("PATCH", scene.path, json=fields)).status_code == 200
        public = await scene.key.send(scene.session_id, PUBLIC, metadata={META: "x"})
        assert public.status_code == 201
    await act(scene.boss, scene.session_id, "close", {"reason": "spam"})
    await act(scene.boss, scene.session_id, "reopen")
    await scene.key.send(scene.session_id, SENTINEL)


async def by_stream(address: Address, person: Person, session_id: str, **given: Any) -> str:
    """All of a stream up to the last words, with its headers."""
    async with address.stream(person, session_id, **given) as source:
        text = str(source.response.headers)
        async with asyncio.timeout(PATIENCE):
            async for chunk in source.response.aiter_text():
                text += chunk
                if SENTINEL in text:
                    return text
    raise AssertionError("the stream ended")


async def by_pages(person: Person, scene: Scene) -> str:
    """All that can be read of a session, bodies and headers."""
    path, text = scene.path, ""
    calls = [path, "/v1/sessions", f"{path}/messages", f"{path}/events", f"{path}/events?limit=2"]
    calls += [f"{path}/messages?around_seq=3&limit=2", f"{path}/events?after_seq=2&wait=1"]
    for call in calls:
        response = await person.get(call)
        assert response.status_code == 200, response.text
        text += str(response.headers) + response.text
    return text


@pytest.mark.conformance(57)
@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
async def test_customer_never_sees_internal_log(address: Address, scene: Scene) -> None:
    customer, session_id = scene.customer, scene.session_id
    async with address.socket(customer) as phone, address.socket(scene.boss) as desk:
        for socket in (phone, desk):
            await socket.follow(session_id)
        live = asyncio.create_task(by_stream(address, customer, session_id, after_seq=0))
        await work(scene)
        log = await customer.events(session_id, limit=500)
        events = await phone.until_seq(session_id, log[-1]["seq"])
        whole = await scene.boss.events(session_id, limit=500)
        seen_by_staff = await desk.until_seq(session_id, whole[-1]["seq"])
        told = {
            "socket": json.dumps([phone.events, phone.heard]),
            "live stream": await live,
            "stream": await by_stream(address, customer, session_id, after_seq=0),
            "pages": await by_pages(customer, scene),
        }
    async with address.socket(customer) as late:
        stream = f"{SESSION}{session_id}"
        await late.ask("subscribe", stream=stream, snapshot={"messages": 200})
        told["snapshot"] = json.dumps(await late.until("snapshot"))
    for transport, text in told.items():
        assert PUBLIC in text and SENTINEL in text, transport
        assert not [each for each in (NOTE, META, "internal", "spam") if each in text], transport
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert [event["id"] for event in events] == [event["id"] for event in log[1:]]
    assert NOTE in json.dumps(seen_by_staff) and META in json.dumps(seen_by_staff)


async def elsewhere(service: Service, workspace: Workspace) -> Stage:
    """The same in another workspace."""
    return await build_stage(await build_workspace(service, workspace.client))


def without_ids(problem: Json) -> Json:
    """A problem but for what names the request."""
    instance = re.sub(r"[0-9a-f-]{36}", "", problem.get("instance", ""))
    return {**problem, "request_id": "", "instance": instance}


@pytest.mark.conformance(59)
@pytest.mark.asvs("8.2.2", "8.4.1")
@pytest.mark.api_top10("API1")
async def test_foreign_session_id_is_404_everywhere(
    address: Address, service: Service, workspace: Workspace
) -> None:
    """Every endpoint and frame that takes a session, as their documents name them."""
    stage, there = await build_stage(workspace), await elsewhere(service, workspace)
    for place in OF_SESSIONS:
        answers = []
        for foreign, message_id in ((there.session_id, there.message_id), (MISSING, MISSING)):
            stage.session_id, stage.message_id = foreign, message_id
            for caller in {caller_of(place), "agent"}:
                answer = await stage.call(place, caller=caller)
                if answer.status_code != 403:
                    answers.append((answer.status_code, without_ids(answer.json())))
        assert answers and {status for status, _ in answers} == {404}, place
        assert all(problem == answers[0][1] for _, problem in answers), place
    frames = frames_of_sessions(there.session_id)
    assert {frame["op"] for frame in frames} == ops_of_sessions()
    for person in (stage.agent, stage.customer):
        async with address.socket(person) as socket:
            for frame in frames:
                await socket.say(**frame)
                problem = (await socket.until("error"))["problem"]
                assert (problem["status"], problem["code"]) == (404, "not_found"), frame
    assert len(await there.customer.events(there.session_id)) == 1


def resolved(schema: Json) -> Json:
    """A schema of the live protocol's document behind its reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Json = DOCUMENT["components"]["schemas"][name] if name else schema
    return found


def ops_of_sessions() -> set[str]:
    """The frames of a client that name a session, but for the one that only leaves it."""
    found = set()
    for name, about in MESSAGES.items():
        fields = resolved(about["payload"]).get("properties", {})
        if name.startswith("client.") and {"session_id", "stream"} & set(fields):
            found.add(name.removeprefix("client."))
    return found - {"unsubscribe"}


def frames_of_sessions(session_id: str) -> list[Json]:
    """A good one of each."""
    return [
        {"op": "subscribe", "id": 1, "stream": f"{SESSION}{session_id}"},
        {"op": "subscribe", "id": 2, "stream": f"{SESSION}{session_id}", "after": "c1.p.0"},
        {"op": "send", "id": 3, "session_id": session_id, **message()},
        {"op": "read", "session_id": session_id, "read_seq": 1},
        {"op": "typing", "session_id": session_id, "is_typing": True},
    ]


async def test_a_session_of_a_colleague_is_as_foreign_as_that_of_another_tenant(
    address: Address, scene: Scene, workspace: Workspace
) -> None:
    """Who may see only his own is told of another's what he is told of none."""
    await act(scene.boss, scene.session_id, "claim")
    stranger = await workspace.customer(unique())
    viewer = await workspace.agent(Role.AGENT)
    for person in (stranger, viewer):
        async with address.socket(person) as socket:
            for frame in frames_of_sessions(scene.session_id):
                await socket.say(**frame)
                assert (await socket.until("error"))["problem"]["code"] == "not_found", frame
