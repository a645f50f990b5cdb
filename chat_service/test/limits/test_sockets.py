"""Frames count with the requests that do the same; the door counts addresses."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from chat_service.test.builders import Json, Person, Workspace, message
from chat_service.test.figures import grown, read, series
from chat_service.test.limits.limited import Limited, limited, told
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address, Socket
from chat_service_client import AsyncChat, Problem
from chat_service_client.closing import NotHere
from chat_service_client.following import closed_door
from chat_service_client.requests import problem_of
from chat_service_client.retry import Backoff, wait_after

REFUSED = series("chat_rate_limited_total", policy="send")


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Limited]:
    async with limited(tmp_path_factory.mktemp("limited")) as place:
        yield place


@pytest.fixture(scope="module")
async def address(place: Limited) -> AsyncIterator[Address]:
    async with served(place.service) as address:
        yield address


async def begun(here: Workspace) -> tuple[Person, str]:
    customer = await here.customer()
    return customer, (await customer.start(text=None))["session"]["id"]


async def sent_by(socket: Socket, session_id: str, times: int) -> list[Json]:
    """What so many sends in a row are answered."""
    return [await socket.send(session_id) for _ in range(times)]


@pytest.mark.conformance(73)
@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_rate_limit_429_has_retry_after_and_ratelimit_fields(
    place: Limited, address: Address
) -> None:
    customer, session_id = await begun(await place.workspace())
    path = f"/v1/sessions/{session_id}/messages"
    async with address.socket(customer) as socket:
        frames = await sent_by(socket, session_id, 10)
        posts = [await customer.post(path, message()) for _ in range(10)]
        over_both = [frame["op"] for frame in frames], [told(each) for each in posts]
        assert over_both == (["ack"] * 10, [(201, None)] * 10)
        assert posts[-1].headers["RateLimit"] == '"send";r=0;t=1'
        post, frame = await customer.post(path, message()), await socket.send(session_id)
        assert post.status_code == 429
        assert post.headers["Retry-After"] == "1"
        assert post.headers["RateLimit"] == '"send";r=0;t=1'
        assert '"send";q=20;w=4' in post.headers["RateLimit-Policy"]
        own = {"instance", "request_id"}
        problem = {key: value for key, value in post.json().items() if key not in own}
        assert frame["op"] == "error"
        assert {key: frame["problem"][key] for key in problem} == problem
        place.timer.pass_by(problem["retry_after"])
        assert (await socket.send(session_id))["op"] == "ack"
        assert (await customer.post(path, message())).status_code == 201


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_signs_of_typing_and_read_marks_count_over_both(
    place: Limited, address: Address
) -> None:
    customer, session_id = await begun(await place.workspace())
    path, typing = f"/v1/sessions/{session_id}", {"is_typing": True}
    async with address.socket(customer) as socket:
        for _ in range(30):
            await socket.say(op="typing", session_id=session_id, is_typing=True)
        await socket.say(op="ping", t=1)
        await socket.until("pong")
        answers = [told(await customer.post(f"{path}/typing", typing)) for _ in range(31)]
        assert answers.count((429, "typing")) == 1
        await socket.say(op="typing", session_id=session_id, is_typing=True)
        assert (await socket.until("error"))["problem"]["policy"] == "typing"
    marks = [
        await customer.call("PUT", f"{path}/read-state", json={"read_seq": 1}) for _ in range(2)
    ]
    assert [each.headers["RateLimit"].partition(";t")[0] for each in marks] == [
        '"mark";r=59',
        '"mark";r=58',
    ]


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_an_address_opens_so_many_sockets_before_it_has_said_who_it_is(
    place: Limited, address: Address
) -> None:
    while True:
        try:
            async with address.socket():
                pass
        except InvalidStatus as error:
            refused = error.response
            break
    problem = json.loads(refused.body or b"")
    assert (refused.status_code, problem["code"], problem["policy"]) == (
        429,
        "rate_limited",
        "socket",
    )
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit"] == '"socket";r=0;t=1'
    place.timer.pass_by(0.1)
    async with address.socket(await (await place.workspace()).customer()):
        pass


async def test_the_python_client_sends_again_until_it_is_let_in(
    place: Limited, address: Address
) -> None:
    customer, session_id = await begun(await place.workspace())
    for _ in range(20):
        await customer.send(session_id)
    before = await read(place.client)
    async with AsyncChat(f"http://{address.place}", customer.token) as chat:
        sending = asyncio.create_task(chat.send(session_id, "patient"))
        while not grown(before, await read(place.client)).get(REFUSED):
            await asyncio.sleep(0.01)
        place.timer.pass_by(1)
        assert (await sending)["content"]["text"] == "patient"


def test_the_python_client_waits_as_long_as_it_is_told() -> None:
    headers, document = {"Retry-After": "7"}, {"code": "rate_limited", "retryable": True}
    refused = httpx2.Response(429, headers=headers, json=document)
    assert (wait_after(problem_of(refused), Backoff()) or 0) >= 7
    upgrade = closed_door(httpx2.Response(429, headers=headers))
    assert isinstance(upgrade, Problem) and (wait_after(upgrade, Backoff()) or 0) >= 7
    assert isinstance(closed_door(httpx2.Response(403)), NotHere)
