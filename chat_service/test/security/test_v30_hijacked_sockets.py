"""V30: a page of another site opens no socket, whatever its browser sends along.

Cross-site WebSocket hijacking: Mattermost CVE-2023-3581, Gitpod GHSA-f53g-frr2-jhpf.
"""

import json
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import InvalidStatus

from chat_service.app import Service
from chat_service.test.builders import ORIGIN, Workspace, build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address

pytestmark = pytest.mark.asvs("4.4.2")
FOREIGN = (
    "https://evil.example",
    "null",
    ORIGIN.replace("shop.", "evil.shop."),
    ORIGIN.replace("shop.", "evilshop."),
    f"{ORIGIN}.evil.example",
    ORIGIN.replace("https:", "http:"),
    f"{ORIGIN}:8443",
    f"{ORIGIN}/",
    ORIGIN.upper(),
    f"{ORIGIN} https://evil.example",
)
FORBIDDEN = 4503


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[Address]:
    """Where the service listens."""
    async with served(service) as address:
        yield address


@pytest.fixture(scope="module")
async def shop(service: Service) -> AsyncIterator[Workspace]:
    """A workspace whose inbox allows one origin."""
    async with client_of(service) as client:
        yield await build_workspace(service, client)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_origin_gets_an_upgrade_even_with_a_good_token(
    address: Address, shop: Workspace, origin: str
) -> None:
    customer = await shop.customer()
    for headers in ({}, {"Authorization": f"Bearer {customer.token}"}):
        with pytest.raises(InvalidStatus) as refused:
            async with address.socket(customer, origin=origin, headers=headers):
                pass
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body or b"")["code"] == "origin_not_allowed"


async def test_an_origin_of_one_inbox_is_none_of_another(
    address: Address, shop: Workspace, service: Service
) -> None:
    other = await build_workspace(service, shop.client, origin="https://other.example.org")
    customer = await shop.customer()
    async with address.socket(origin="https://other.example.org") as socket:
        await socket.say(op="hello", token=customer.token)
        assert await socket.closed() == FORBIDDEN
    stranger = await other.customer()
    async with address.socket(stranger, origin="https://other.example.org"):
        pass


async def test_a_customers_page_is_no_page_for_agents(address: Address, shop: Workspace) -> None:
    agent, key = await shop.agent(), await shop.key()
    for token in (agent.token, key.token):
        async with address.socket(origin=ORIGIN) as socket:
            await socket.say(op="hello", token=token)
            assert await socket.closed() == FORBIDDEN
        async with address.socket(token):
            pass
