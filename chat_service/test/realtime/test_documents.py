"""The clients that the guide shows, run as they stand there."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from chat_service.realtime.following import FAR_BEHIND
from chat_service.test.backends import limited_to
from chat_service.test.builders import Json, Workspace
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.guided import LANGUAGES, ROOT, block, guided
from chat_service.test.realtime.scripted import AFTER_MS, Part, Scripted, event
from chat_service.test.realtime.talkers import Address

FOLLOW = ROOT / "chat_service" / "static" / "demo" / "follow.js"
COMES_AGAIN = [1001, 1011, 1012, 1013, 4001, 4003, 4008, 4010, 4012, 4013, 4499]
STOPS = [1000, 1008, 1009, 4500, 4501, 4502, 4503, 4504, 4505, 4506, 4999]
LARGEST = "\x01" * 16 * 1024
"""A text that is six times as long where it is sent."""
BEHIND = FAR_BEHIND + 20
in_each_language = pytest.mark.parametrize("language", LANGUAGES)


def told(*what: int | str) -> list[str]:
    """What a client tells of messages, and at last of its end."""
    return [each if isinstance(each, str) else f"message.created {each}" for each in what]


def refused(problem: Json) -> Json:
    """The frame that refuses a subscription."""
    return {"op": "error", "id": 1, "problem": problem}


def test_the_demo_follows_by_the_program_of_the_guide() -> None:
    assert FOLLOW.read_text() == block("js")


@in_each_language
async def test_a_client_of_the_guide_follows_through_a_restart_of_its_socket(
    language: str, address: Address, workspace: Workspace, tmp_path: Path
) -> None:
    service, customer = workspace.service, await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    given = customer.token, session_id, "c1.p.0", f"http://{address.place}"
    async with guided(language, tmp_path, *given) as client:
        assert await client.told() == "message.created 1"
        await service.hub.drain(0)
        service.hub.leaving = False
        await customer.send(session_id, "2")
        assert await client.told() == "message.created 2"


@in_each_language
async def test_a_client_of_the_guide_keeps_its_table_of_close_codes(
    language: str, tmp_path: Path
) -> None:
    scripted = Scripted(
        {f"/{code}": [Part(code=code, says_goodbye=True)] for code in COMES_AGAIN + STOPS}
    )
    async with served(scripted) as address:
        urls = [f"http://{address.place}/{code}" for code in COMES_AGAIN + STOPS]
        async with guided(language, tmp_path, "old,new", "0199", "c1.p.0", *urls) as client:
            ends = await client.rest()
    assert sorted(ends) == sorted(f"ended {code}" for code in [1000] * len(COMES_AGAIN) + STOPS)
    came = {path: [visit.token for visit in made] for path, made in scripted.visits.items()}
    assert came == {
        **{f"/{code}": ["old", "old"] for code in COMES_AGAIN},
        "/4001": ["old", "new"],
        **{f"/{code}": ["old"] for code in STOPS},
    }
    for code in COMES_AGAIN:
        first, again = scripted.visits[f"/{code}"]
        assert again.at - first.at >= AFTER_MS / 1000


@in_each_language
async def test_a_client_of_the_guide_asks_again_for_an_event_that_is_missing(
    language: str, tmp_path: Path
) -> None:
    first, second, third = map(event, (1, 2, 3))
    scripted = Scripted({"": [Part((first, third), code=None), Part((first, second, third))]})
    async with served(scripted) as address:
        given = "token", "0199", "c1.p.0", f"http://{address.place}"
        async with guided(language, tmp_path, *given) as client:
            assert await client.rest() == told(1, 2, 3, "ended 1000")
    assert [visit.after for visit in scripted.visits[""]] == ["c1.p.0", first["cursor"]]


@in_each_language
async def test_a_client_of_the_guide_waits_twice_as_long_before_each_try(
    language: str, tmp_path: Path
) -> None:
    scripted = Scripted({"": [Part((event(seq),), code=1012) for seq in (1, 2)]})
    async with served(scripted) as address:
        given = "token", "0199", "c1.p.0", f"http://{address.place}"
        async with guided(language, tmp_path, *given, waits_longest=True) as client:
            assert await client.rest() == told(1, 2, "ended 1000")
    _, second, third = (visit.at for visit in scripted.visits[""])
    assert third - second >= 0.95


@in_each_language
async def test_a_client_of_the_guide_reads_the_largest_event(language: str, tmp_path: Path) -> None:
    scripted = Scripted({"": [Part((event(1, LARGEST),))]})
    async with served(scripted) as address:
        given = "token", "0199", "c1.p.0", f"http://{address.place}"
        async with guided(language, tmp_path, *given) as client:
            assert await client.rest() == told(1, "ended 1000")


@limited_to("sqlite")
@in_each_language
async def test_a_client_of_the_guide_that_is_far_behind_leaves_out_no_event(
    language: str, address: Address, workspace: Workspace, tmp_path: Path
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    for _ in range(5):
        await asyncio.gather(*(customer.send(session_id) for _ in range(BEHIND // 5)))
    given = customer.token, session_id, "c1.p.0", f"http://{address.place}"
    async with guided(language, tmp_path, *given) as client:
        assert [await client.told() for _ in range(BEHIND + 1)] == told(*range(1, BEHIND + 2))
        await customer.send(session_id)
        assert await client.told() == f"message.created {BEHIND + 2}"


@limited_to("sqlite")
@in_each_language
@pytest.mark.parametrize("why", ["not_found", "cursor_invalid", "cursor_ahead"])
async def test_a_client_of_the_guide_ends_where_it_is_refused(
    language: str, why: str, address: Address, workspace: Workspace, tmp_path: Path
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    cursors = {"cursor_invalid": "c1.s.0", "cursor_ahead": "c1.p.9.00000000"}
    followed = str(uuid4()) if why == "not_found" else session_id
    given = customer.token, followed, cursors.get(why, "c1.p.0"), f"http://{address.place}"
    async with guided(language, tmp_path, *given) as client:
        assert await client.rest() == [f"ended {why}"]


@in_each_language
async def test_a_client_of_the_guide_ends_where_a_right_ends_and_comes_again_after_an_outage(
    language: str, tmp_path: Path
) -> None:
    busy = {"status": 503, "code": "overloaded", "retryable": True}
    expired = {"status": 401, "code": "unauthenticated", "retryable": False}
    lost = {"op": "unsubscribed", "stream": "session:0199", "code": "forbidden"}
    parts = [
        Part(code=None, refusal=refused(busy)),
        Part(code=4001, refusal=refused(expired)),
        Part((event(1),), code=None, refusal={**lost, "resubscribe": False}),
    ]
    scripted = Scripted({"": parts})
    async with served(scripted) as address:
        given = "old,new", "0199", "c1.p.0", f"http://{address.place}"
        async with guided(language, tmp_path, *given) as client:
            assert await client.rest() == told(1, "ended forbidden")
    assert [visit.token for visit in scripted.visits[""]] == ["old", "old", "new"]
