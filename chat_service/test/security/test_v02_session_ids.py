"""A customer's token opens the own sessions only, whatever stands where the id belongs.

Seen elsewhere: a made-up guest token and a room's literal name read the staff's rooms.
"""

import httpx2
import pytest

from chat_service.app import Service
from chat_service.test.addresses import BODIES, Stage, addresses
from chat_service.test.builders import build_workspace
from chat_service.test.snapshot import rows_of

SESSION = [address for address in addresses() if "{session_id}" in address]
MISSING = "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"
LITERAL = [
    "GENERAL",
    "me",
    "*",
    "0",
    "-1",
    "null",
    "undefined",
    "%2e%2e",
    "%00",
    "%25",
    "1'%20or%20'1'='1",
    "0199a1c27c1e7d0b9a550d6c2f1b7e10",
    "{0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10}",
    "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10%20",
    "urn:uuid:0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "x" * 10_000,
]


async def asked(stage: Stage, address: str, session_id: str) -> httpx2.Response:
    """A customer asks for a session, and for a message where the address wants one."""
    method, _, path = address.partition(" ")
    where = path.format(session_id=session_id, message_id=stage.message_id)
    body = BODIES[address](stage) if address in BODIES else None
    return await stage.customer.call(method, where, json=body)


@pytest.mark.parametrize("address", SESSION)
@pytest.mark.asvs("2.2.1")
@pytest.mark.api_top10("API1")
async def test_what_is_no_id_is_404(stage: Stage, address: str) -> None:
    before = await rows_of(stage.workspace)
    for session_id in LITERAL:
        response = await asked(stage, address, session_id)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), session_id
    assert await rows_of(stage.workspace) == before


@pytest.mark.parametrize("address", SESSION)
@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_sessions_of_others_are_like_none(
    stage: Stage, service: Service, client: httpx2.AsyncClient, address: str
) -> None:
    stranger = await (await build_workspace(service, client)).customer()
    neighbour = await stage.workspace.customer()
    ids = [(await person.start())["session"]["id"] for person in (stranger, neighbour)]
    before = await rows_of(stage.workspace)
    told = []
    for session_id in [*ids, MISSING]:
        response = await asked(stage, address, session_id)
        problem = response.json()
        told.append((problem["status"], problem["code"], problem["detail"], problem["errors"]))
    assert len(set(map(str, told))) == 1
    assert told[0][0] in (403, 404)
    assert await rows_of(stage.workspace) == before
