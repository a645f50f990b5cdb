"""Who may do what (`matrix.toml`): every address × every caller × every target, on each database."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Final

import httpx2
import pytest

from chat_service.test.addresses import addresses
from chat_service.test.security.people import PEOPLE
from chat_service.test.security.table import (
    CELLS,
    EVERYBODY,
    GROUPS,
    NO_TARGET,
    TABLE,
    Cell,
    named,
)
from chat_service.test.security.world import SPENT_BY, Target, World

AT_ONCE: Final = 8
COUNT: Final = sum(len(cells) for cells in CELLS.values())


def test_every_live_address_stands_in_the_table() -> None:
    assert sorted(TABLE) == list(addresses())


def test_each_caller_has_exactly_one_answer_at_each_target() -> None:
    for address, row in TABLE.items():
        times = Counter(caller for caller, _ in named(row))
        assert set(times) <= set(PEOPLE), address
        assert [caller for caller, count in times.items() if count > 1] == [], address
        # Nobody is forgotten, and nothing is said of everybody where there is nobody left.
        assert (set(times) == set(PEOPLE)) != (EVERYBODY in row), address
        targets = row.get("targets", [NO_TARGET])
        answers = Counter((cell.caller, cell.target) for cell in CELLS[address])
        assert answers == Counter((caller, target) for caller in PEOPLE for target in targets)


def test_each_caller_is_in_a_group_once_and_no_group_is_called_as_a_caller() -> None:
    for names in GROUPS.values():
        assert sorted(set(names.split())) == sorted(names.split())
        assert set(names.split()) <= set(PEOPLE)
    assert set(GROUPS) & set(PEOPLE) == set()


@pytest.mark.asvs("8.2.2", "8.4.1")
def test_what_another_workspace_has_is_answered_as_what_does_not_exist() -> None:
    """But for inboxes, whose keys stand in public pages."""
    for address, cells in CELLS.items():
        answers = {(cell.caller, cell.target): cell.status for cell in cells}
        for (caller, target), status in answers.items():
            away = caller.startswith("foreign") == (target != "foreign")
            if away and (caller, "missing") in answers and "{inbox_key}" not in address:
                assert status == answers[caller, "missing"] >= 400, (address, caller, target)


def test_the_table_is_as_large_as_is_claimed() -> None:
    print(f"{len(PEOPLE)} callers, {len(TABLE)} addresses, {COUNT} cells")
    assert len(PEOPLE) > 30
    assert COUNT > 7_000


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_list_holds_what_may_be_read_and_nothing_else(world: World) -> None:
    """This comes first: there are no sessions yet but the targets."""
    for name in PEOPLE:
        reads = {
            world.targets[cell.target].session_id
            for cell in CELLS["GET /v1/sessions/{session_id}"]
            if cell.caller == name and cell.status == 200
        }
        response = await world.people[name].get("/v1/sessions?limit=200")
        if response.status_code == 200:
            assert {session["id"] for session in response.json()["data"]} == reads, name


async def test_a_message_is_found_in_its_own_session_only(world: World) -> None:
    own, others = world.targets["own"], world.targets["others"]
    path = f"/v1/sessions/{own.session_id}/messages/{others.message_id}"
    edited = {"content": {"type": "text", "text": "Mine"}}
    for name in ("visitor", "verified", "owner", "key"):
        for method, body in (("GET", None), ("PATCH", edited), ("DELETE", None)):
            response = await world.people[name].call(method, path, json=body)
            assert response.status_code == 404, (name, method)


async def asked(world: World, address: str, cell: Cell, target: Target) -> httpx2.Response:
    """The answer to one caller at one target."""
    method, _, template = address.partition(" ")
    who = world.people[cell.caller]
    if address.endswith("sign-out") and not cell.refused:
        who = await world.again(cell.caller)
    path = template.format(
        **vars(target) | {"code": "not_found", "name": "pages.css", "identity_id": "0" * 32},
    )
    headers = {"Authorization": f"Bearer {who.token}"} if who.token else {}
    body = await world.body(address, cell.caller, target)
    return await who.client.request(method, path, headers=headers, json=body)


@pytest.mark.parametrize(
    "address", TABLE, ids=[f"{address} {len(cells)} cells" for address, cells in CELLS.items()]
)
@pytest.mark.asvs("8.2.1", "8.2.2", "8.4.1")
@pytest.mark.api_top10("API1", "API5")
async def test_who_may_not_is_refused_and_nothing_comes_of_it(world: World, address: str) -> None:
    before, found = world.rows or await world.look(), {}
    refused = [cell for cell in CELLS[address] if cell.refused]
    for first in range(0, len(refused), AT_ONCE):
        cells = refused[first : first + AT_ONCE]
        asking = (asked(world, address, cell, world.target_of(cell.target)) for cell in cells)
        for cell, response in zip(cells, await asyncio.gather(*asking), strict=True):
            found[cell] = response.status_code
    assert {cell: status for cell, status in found.items() if status != cell.status} == {}
    if found:
        assert await world.look() == before


@pytest.mark.parametrize(
    "address", [address for address in TABLE if not all(cell.refused for cell in CELLS[address])]
)
@pytest.mark.asvs("8.2.1", "8.2.2")
async def test_who_may_is_served(world: World, address: str) -> None:
    found, world.rows = {}, None
    for cell in CELLS[address]:
        if not cell.refused:
            found[cell] = await served(world, address, cell)
    assert {cell: status for cell, status in found.items() if status != cell.status} == {}


async def served(world: World, address: str, cell: Cell) -> int:
    """The status of a request that succeeds; afterwards there is all that there was before."""
    kind = "own" if cell.target == NO_TARGET else cell.target
    target = world.target_of(cell.target)
    if address.endswith("block"):
        target = replace(target, customer_id=await world.guest(kind))
    elif "{login_id}" in address:
        target = replace(target, login_id=await world.login())
    response = await asked(world, address, cell, target)
    if kind in SPENT_BY.get(address, ()):
        await world.renew(kind)
    elif address in ("DELETE /v1/roles/{role_id}", "DELETE /v1/teams/{team_id}"):
        await world.restaff(kind)
    elif address == "POST /v1/inboxes/{inbox_id}/keys":
        path = f"{response.request.url.path}/{response.json()['key']['id']}"
        await world.people[cell.caller].call("DELETE", path)
    elif address == "POST /v1/sessions":
        await world.end(kind, response.json()["session"]["id"])
    return response.status_code
