"""Tickets: each opens one socket, for whom and where it was made, and only for half a minute."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from chat_service.auth import Admission
from chat_service.errors import Unauthenticated
from chat_service.model import Ticket
from chat_service.schema import WorkspaceId, utc_now
from chat_service.test.browsers import OWN, browse
from chat_service.test.builders import Person, Workspace, build_workspace, writing
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import deactivate
from chat_service.tickets import redeem_ticket

TICKETS = "/v1/realtime/tickets"
DEVICE = "tab-1"


async def ticket_of(person: Person, **body: Any) -> str:
    """A new ticket."""
    response = await person.post(TICKETS, {"device_id": DEVICE, **body})
    assert response.status_code == 201, response.text
    ticket: str = response.json()["ticket"]
    return ticket


@dataclass
class Door:
    """Where tickets are shown."""

    workspace: Workspace
    device_id: str | None = DEVICE
    origin: str | None = OWN

    async def show(self, ticket: str, *, at: datetime | None = None) -> Admission:
        """Use a ticket; raises Unauthenticated."""
        async with writing(self.workspace.service) as db:
            return await redeem_ticket(
                db, ticket, device_id=self.device_id, origin=self.origin, now=at or utc_now()
            )

    async def opens(self, ticket: str, **at: datetime) -> bool:
        """Whether a ticket is good."""
        try:
            await self.show(ticket, **at)
        except Unauthenticated:
            return False
        return True


@pytest.fixture
def door(workspace: Workspace) -> Door:
    """On a page of the service."""
    return Door(workspace)


async def rows(place: Workspace) -> Sequence[Ticket]:
    """The tickets of a workspace that wait for their use."""
    query = select(Ticket).where(Ticket.workspace_id == place.id)
    async with writing(place.service) as db:
        return (await db.scalars(query)).all()


@pytest.mark.asvs("11.5.1")
async def test_a_ticket_says_how_to_use_it(workspace: Workspace) -> None:
    response = await (await browse(workspace)).post(TICKETS)
    told = response.json()
    prefix, place, _, secret = told.pop("ticket").split("_")
    assert (response.status_code, prefix, WorkspaceId(workspace.id).hex) == (201, "tk", place)
    assert len(bytes.fromhex(secret)) == 32
    assert told == {
        "expires_in": 30,
        "websocket_url": "ws://test/v1/realtime",
        "protocol": "chat.v1",
    }


async def test_a_ticket_admits_its_agent_until_the_login_ends(
    workspace: Workspace, door: Door
) -> None:
    browser = await browse(workspace, await workspace.agent(name="Bob"))
    caller, ends = await door.show(await ticket_of(browser))
    assert (str(caller.actor.id), caller.display_name) == (browser.id, "Bob")
    assert caller.token_id.hex == browser.token.split("_")[2]
    assert ends is not None
    assert abs(ends - utc_now() - timedelta(hours=12)) < timedelta(minutes=5)


@pytest.mark.asvs("4.4.3")
@pytest.mark.api_top10("API2")
async def test_a_ticket_is_single_use(workspace: Workspace, door: Door) -> None:
    ticket = await ticket_of(await browse(workspace))
    assert [await door.opens(ticket) for _ in range(3)] == [True, False, False]
    assert await rows(workspace) == []


@pytest.mark.asvs("15.4.2")
@pytest.mark.api_top10("API2")
async def test_of_many_uses_at_once_one_counts(workspace: Workspace, door: Door) -> None:
    ticket = await ticket_of(await browse(workspace))
    assert sum(await asyncio.gather(*(door.opens(ticket) for _ in range(10)))) == 1


@pytest.mark.asvs("4.4.3")
@pytest.mark.api_top10("API2")
async def test_a_ticket_expires_after_30_seconds(workspace: Workspace, door: Door) -> None:
    browser, now = await browse(workspace), utc_now()
    first, second = await ticket_of(browser), await ticket_of(browser)
    assert await door.opens(first, at=now + timedelta(seconds=29))
    assert not await door.opens(second, at=utc_now() + timedelta(seconds=31))


@pytest.mark.parametrize(
    ("device_id", "origin"),
    [
        (None, OWN),
        ("tab-2", OWN),
        (DEVICE, None),
        (DEVICE, "http://evil.example"),
        (DEVICE, "https://test"),
        (DEVICE, "null"),
    ],
)
@pytest.mark.asvs("4.4.3")
@pytest.mark.api_top10("API2")
async def test_a_ticket_is_worth_nothing_on_another_device_or_page(
    workspace: Workspace, door: Door, device_id: str | None, origin: str | None
) -> None:
    ticket = await ticket_of(await browse(workspace))
    assert not await Door(workspace, device_id, origin).opens(ticket)
    assert await door.opens(ticket)


async def test_a_ticket_without_a_device_is_for_a_hello_without_one(workspace: Workspace) -> None:
    ticket = await ticket_of(await browse(workspace), device_id=None)
    assert not await Door(workspace, DEVICE).opens(ticket)
    assert await Door(workspace, None).opens(ticket)


async def test_a_ticket_of_an_app_is_for_no_page(workspace: Workspace, door: Door) -> None:
    ticket = await ticket_of(await workspace.agent())
    assert not await door.opens(ticket)
    assert await Door(workspace, DEVICE, None).opens(ticket)


@pytest.mark.asvs("3.5.1")
@pytest.mark.api_top10("API2")
async def test_no_other_page_is_given_a_ticket(workspace: Workspace) -> None:
    browser, agent = await browse(workspace), await workspace.agent()
    for origin in ("null", "http://evil.example", "https://test"):
        browser.origin = origin
        asked = [await browser.post(TICKETS)]
        asked.append(await agent.post(TICKETS, headers={"Origin": origin}))
        assert [one.json()["code"] for one in asked] == ["origin_not_allowed"] * 2
    assert await rows(workspace) == []


@pytest.mark.asvs("4.4.4")
async def test_a_ticket_is_worth_nothing_once_its_login_has_ended(
    workspace: Workspace, door: Door
) -> None:
    agent = await workspace.agent()
    signed_out, other = await browse(workspace, agent), await browse(workspace, agent)
    ticket, theirs = await ticket_of(signed_out), await ticket_of(other)
    await signed_out.post("/v1/auth/sign-out")
    assert [await door.opens(ticket), await door.opens(theirs)] == [False, True]
    left = await ticket_of(other)
    await deactivate(workspace, agent)
    assert not await door.opens(left)


@pytest.mark.asvs("4.4.4")
@pytest.mark.api_top10("API2")
async def test_a_ticket_does_not_outlive_its_login(
    workspace: Workspace, clock: TurningClock, door: Door
) -> None:
    browser = await browse(workspace)
    clock.turn(hours=11, minutes=59, seconds=45)
    first, second = await ticket_of(browser), await ticket_of(browser)
    assert await door.opens(first, at=clock() + timedelta(seconds=1))
    assert not await door.opens(second, at=clock() + timedelta(seconds=20))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_a_ticket_with_one_other_part_is_none(
    workspace: Workspace, door: Door, place: int
) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    good, other = await ticket_of(await browse(workspace)), await ticket_of(await browse(elsewhere))
    parts = good.split("_")
    for replacement in (other.split("_")[place], "at", "0" * len(parts[place]), ""):
        forged = "_".join(parts[:place] + [replacement] + parts[place + 1 :])
        assert forged == good or not await door.opens(forged), forged
    assert await door.opens(good)


@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_other_tokens_are_no_tickets_and_a_ticket_is_no_token(
    workspace: Workspace, door: Door
) -> None:
    agent, key, customer = (
        await workspace.agent(),
        await workspace.key(),
        await workspace.customer(),
    )
    texts = [agent.token, key.token, customer.token, customer.details["refresh_token"]]
    for text in (*texts, "", "tk", "tk___", "tk_a_b_c", "null", "\u00e9"):
        assert not await door.opens(text), text
    ticket = await ticket_of(agent)
    assert (await Person(workspace.client, ticket, "").get("/v1/sessions")).status_code == 401


async def test_only_the_hash_of_a_ticket_is_stored(workspace: Workspace) -> None:
    secret = (await ticket_of(await browse(workspace))).split("_")[3]
    (row,) = await rows(workspace)
    assert secret not in str(vars(row))
    assert len(row.secret_hash) == 32


async def test_a_new_ticket_clears_away_what_nobody_used_in_time(
    workspace: Workspace, clock: TurningClock
) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    browser = await browse(workspace)
    await ticket_of(await browse(elsewhere))
    old = [await ticket_of(browser) for _ in range(3)]
    clock.turn(seconds=31)
    kept = [await ticket_of(browser) for _ in range(2)]
    found = {row.id.hex for row in await rows(workspace)}
    assert found == {ticket.split("_")[2] for ticket in kept}
    assert not found & {ticket.split("_")[2] for ticket in old}
    assert len(await rows(elsewhere)) == 1
