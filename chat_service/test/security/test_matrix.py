"""Who may do what (`matrix.toml`): every address × every caller × every target, on each database."""

import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from chat_service.app import Service
from chat_service.test.addresses import addresses
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.security.world import PEOPLE, Target, World, build_world, person
from chat_service.test.snapshot import rows_of

TABLE: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    (Path(__file__).parent / "matrix.toml").read_text()
)
NO_TARGET: Final = "none"


@dataclass(frozen=True)
class Cell:
    """What one caller is answered at one target."""

    caller: str
    target: str
    status: int

    @property
    def refused(self) -> bool:
        """Whether nothing may come of it."""
        return self.status >= 400


def cells_of(address: str) -> list[Cell]:
    """The cells of an address."""
    row = TABLE[address]
    targets = row.get("targets", [NO_TARGET])
    answers: dict[str, Any] = {name: row.get(name, row.get("everybody")) for name in PEOPLE}
    return [
        Cell(caller, target, status)
        for caller in PEOPLE
        for target, status in zip(targets, answers[caller] or [], strict=True)
    ]


CELLS: Final = {address: cells_of(address) for address in TABLE}


@pytest.fixture(scope="module")
async def world(service: Service) -> AsyncIterator[World]:
    """The people of all addresses: what one address changes is of no concern to another."""
    async with client_of(service) as client:
        yield await build_world(await build_workspace(service, client), service)


def test_every_live_address_stands_in_the_table() -> None:
    assert sorted(TABLE) == list(addresses())


def test_the_table_names_nobody_it_does_not_try() -> None:
    known = {*PEOPLE, "everybody", "targets"}
    assert [set(row) - known for row in TABLE.values() if set(row) - known] == []
    assert sum(len(cells) for cells in CELLS.values()) > 1_100


async def asked(world: World, address: str, cell: Cell, target: Target) -> httpx2.Response:
    """The answer to one caller at one target."""
    method, _, template = address.partition(" ")
    who = world.people[cell.caller]
    if address.endswith("sign-out") and not cell.refused:
        who = await person(cell.caller, world.here, world.there)
    path = template.format(
        **vars(target) | {"code": "not_found", "name": "pages.css", "identity_id": "0" * 32},
    )
    headers = {"Authorization": f"Bearer {who.token}"} if who.token else {}
    body = world.body(address, cell.caller, target)
    if address.endswith("recovery"):
        # Nobody takes such a try back, so each comes from an address of its own.
        return await recovery_from(world, cell.caller, body)
    return await world.here.client.request(method, path, headers=headers, json=body)


async def recovery_from(world: World, caller: str, body: Any) -> httpx2.Response:
    """Ask for a recovery from an address that nobody else has."""
    place = (f"198.51.100.{PEOPLE.index(caller)}", 40_000)
    transport = httpx2.ASGITransport(app=world.here.service, client=place)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post("/v1/auth/recovery", json=body)


async def answered(world: World, address: str, cell: Cell) -> int:
    """The status of a request that succeeds, at a target of its own, which is closed after it."""
    kind = "own" if cell.target == NO_TARGET else cell.target
    fresh = not address.startswith("GET") and "{session_id}" in address
    target = await world.target(kind) if fresh else world.targets[kind]
    if address.endswith("/block"):
        target = await world.somebody(target)
    if "{role_id}" in address or "{team_id}" in address:
        target = await world.staffed(kind)
    response = await asked(world, address, cell, target)
    if address == "POST /v1/inboxes/{inbox_id}/keys":
        path = f"{response.request.url.path}/{response.json()['key']['id']}"
        await world.people[cell.caller].call("DELETE", path)
    elif address == "POST /v1/sessions":
        await world.end(kind, response.json()["session"]["id"])
    elif fresh:
        await world.end(kind, target.session_id)
    return response.status_code


@pytest.mark.parametrize(
    "address", TABLE, ids=[f"{address} {len(cells)} cells" for address, cells in CELLS.items()]
)
@pytest.mark.asvs("8.2.1", "8.2.2", "8.4.1")
@pytest.mark.api_top10("API1", "API5")
async def test_everybody_is_answered_as_the_table_says(world: World, address: str) -> None:
    found = {}
    before = await rows_of(world.here), await rows_of(world.there)
    for cell in [cell for cell in CELLS[address] if cell.refused]:
        target = world.targets["own" if cell.target == NO_TARGET else cell.target]
        found[cell] = (await asked(world, address, cell, target)).status_code
    assert (await rows_of(world.here), await rows_of(world.there)) == before
    for cell in [cell for cell in CELLS[address] if not cell.refused]:
        found[cell] = await answered(world, address, cell)
    assert {cell: status for cell, status in found.items() if status != cell.status} == {}


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_list_holds_what_may_be_read_and_nothing_else(
    workspace: Workspace, service: Service
) -> None:
    world = await build_world(workspace, service)
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
    for name in ("customer", "other_customer", "owner", "key"):
        for method, body in (("GET", None), ("PATCH", edited), ("DELETE", None)):
            response = await world.people[name].call(method, path, json=body)
            assert response.status_code == 404, (name, method)
