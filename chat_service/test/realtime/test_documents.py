"""The clients that the guide shows, run as they stand there."""

from pathlib import Path

import pytest

from chat_service.test.builders import Workspace
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.guided import LANGUAGES, ROOT, block, guided
from chat_service.test.realtime.scripted import AFTER_MS, Part, Scripted, event
from chat_service.test.realtime.talkers import Address

FOLLOW = ROOT / "chat_service" / "static" / "demo" / "follow.js"
COMES_AGAIN = [1001, 1011, 1012, 1013, 4001, 4003, 4008, 4010, 4012, 4013, 4499]
STOPS = [1000, 1008, 1009, 4500, 4501, 4502, 4503, 4504, 4505, 4506, 4999]
LARGEST = "\x01" * 16 * 1024
"""A text that is six times as long where it is sent."""
in_each_language = pytest.mark.parametrize("language", LANGUAGES)


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
            assert await client.rest() == []
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
            assert await client.rest() == [f"message.created {seq}" for seq in (1, 2, 3)]
    assert [visit.after for visit in scripted.visits[""]] == ["c1.p.0", first["cursor"]]


@in_each_language
async def test_a_client_of_the_guide_waits_twice_as_long_before_each_try(
    language: str, tmp_path: Path
) -> None:
    scripted = Scripted({"": [Part((event(seq),), code=1012) for seq in (1, 2)]})
    async with served(scripted) as address:
        given = "token", "0199", "c1.p.0", f"http://{address.place}"
        async with guided(language, tmp_path, *given, waits_longest=True) as client:
            assert len(await client.rest()) == 2
    _, second, third = (visit.at for visit in scripted.visits[""])
    assert third - second >= 0.95


@in_each_language
async def test_a_client_of_the_guide_reads_the_largest_event(language: str, tmp_path: Path) -> None:
    scripted = Scripted({"": [Part((event(1, LARGEST),))]})
    async with served(scripted) as address:
        given = "token", "0199", "c1.p.0", f"http://{address.place}"
        async with guided(language, tmp_path, *given) as client:
            assert await client.rest() == ["message.created 1"]
