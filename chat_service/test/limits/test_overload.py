"""A lane that is held: newcomers are refused first, then customers, and staff when it is full."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import pytest

from chat_service.app import Service, create_app
from chat_service.config import Limits
from chat_service.errors import ServiceError
from chat_service.events.group_commit import Lanes
from chat_service.events.transaction import transaction
from chat_service.messages import services
from chat_service.messages.drafts import Draft, Sent
from chat_service.messages.services import MessageLanes
from chat_service.schema import new_id, utc_now
from chat_service.server.overload import Lateness, Overload
from chat_service.test.builders import Person, Workspace, build_workspace
from chat_service.test.conftest import UNBOUNDED, config_of
from chat_service.test.events.apart import client_of
from chat_service.test.figures import grown, read, series
from chat_service.test.limits.limited import limited

DRAFTS = 8


def gated(limits: Limits, gate: asyncio.Event) -> MessageLanes:
    """Lanes whose batches wait at a gate."""

    async def write_batch(drafts: Sequence[Draft]) -> Sequence[Sent | ServiceError]:
        await gate.wait()
        async with transaction() as db:
            return await services.write(db, drafts, limits=limits, now=utc_now())

    return Lanes(write_batch, limits)


@dataclass
class Held:
    """A lane whose batch in flight is held, and those who wait behind it."""

    here: Workspace
    agent: Person
    key: Person
    customer: Person
    newcomer: Person
    session_id: str
    lanes: MessageLanes
    sends: list[asyncio.Task[httpx2.Response]] = field(default_factory=list)

    async def hold(self) -> None:
        """Have one message in the batch that is held."""
        before = await read(self.here.client)
        self.sends.append(asyncio.create_task(self.agent.send(self.session_id)))
        while not grown(before, await read(self.here.client)).get("chat_batch_drafts_count"):
            await asyncio.sleep(0.01)

    async def wait_with(self, person: Person, until: int) -> None:
        """Have messages of somebody wait until there are so many."""
        for count in range(self.lanes.waiting + 1, until + 1):
            self.sends.append(asyncio.create_task(person.send(self.session_id)))
            while self.lanes.waiting < count:
                await asyncio.sleep(0.001)

    async def is_refused(self, person: Person) -> bool:
        """Whether a message of somebody is refused at once."""
        return overloaded(await person.send(self.session_id))


def overloaded(response: httpx2.Response) -> bool:
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")
    return response.headers["Retry-After"] == "1"


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    limits = Limits(lane_drafts=DRAFTS, lane_seconds=60)
    async with limited(tmp_path, rates=UNBOUNDED, limits=limits) as place:
        here, gate = await place.workspace(), asyncio.Event()
        lanes = gated(limits, gate)
        hand_in(place.service, lanes)
        customer, newcomer = await here.customer(), await here.customer()
        session_id = (await customer.start(text=None))["session"]["id"]
        agent, key = await here.agent(), await here.key()
        held = Held(here, agent, key, customer, newcomer, session_id, lanes)
        await held.hold()
        yield held
        gate.set()
        assert {(await each).status_code for each in held.sends} == {201}


def hand_in(service: Service, lanes: MessageLanes) -> None:
    """Let the routes use these lanes."""
    extensions = service.quart.extensions
    overload = Overload(lanes.filled, Lateness(), late_seconds=60)
    shared = replace(extensions["chat_service"], lanes=lanes, overload=overload)
    extensions["chat_service"] = shared


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_newcomers_go_first_then_customers_and_staff_when_it_is_full(held: Held) -> None:
    customers = f"/v1/inboxes/{held.here.inbox_key}/customers"
    before = await read(held.here.client)
    await held.wait_with(held.agent, until=5)
    assert overloaded(await held.here.client.post(customers, json={}))
    assert overloaded(await held.newcomer.post("/v1/sessions", {"client_session_id": "1"}))
    await held.wait_with(held.customer, until=6)
    assert await held.is_refused(held.customer)
    await held.wait_with(held.agent, until=7)
    await held.wait_with(held.key, until=8)
    for person in (held.agent, held.key, held.customer):
        assert await held.is_refused(person)
    assert (await held.here.client.get("/health")).status_code == 200
    growth = grown(before, await read(held.here.client))
    refused = {
        reason: growth[series("chat_overloaded_total", reason=reason)]
        for reason in ("newcomers", "customers", "lane_full")
    }
    assert refused == {"newcomers": 2, "customers": 2, "lane_full": 2}


async def test_neither_who_comes_back_nor_a_new_session_of_an_agent_is_a_newcomer(
    held: Held,
) -> None:
    await held.wait_with(held.agent, until=8)
    resumed, anew = [
        await held.customer.post("/v1/sessions", {"client_session_id": "2", "mode": mode})
        for mode in ("resume_or_create", "create")
    ]
    assert (resumed.status_code, resumed.json()["session"]["id"]) == (200, held.session_id)
    assert overloaded(anew)
    kept = (await held.customer.get("/v1/sessions")).json()["data"]
    assert [each["id"] for each in kept] == [held.session_id]
    begun = {"client_session_id": "1", "customer_id": held.newcomer.id}
    assert (await held.agent.post("/v1/sessions", begun)).status_code == 201
    other = await build_workspace(held.here.service, held.here.client)
    await (await other.customer()).start(text=None)


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_the_service_looks_at_its_own_lanes(tmp_path: Path) -> None:
    async with limited(tmp_path, rates=UNBOUNDED, limits=Limits(lane_drafts=1)) as place:
        here = await place.workspace()
        agent, customer = await here.agent(), await here.customer()
        session_id = (await customer.start(text=None))["session"]["id"]
        async with place.service.database.taking_turn():
            sends = [asyncio.create_task(agent.send(session_id)) for _ in range(3)]
            await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
            customers = f"/v1/inboxes/{here.inbox_key}/customers"
            assert overloaded(await here.client.post(customers, json={}))
        assert 201 in [(await each).status_code for each in sends]


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_late_loop_lets_nobody_new_in(tmp_path: Path) -> None:
    # It is never started, so nothing measures; and nobody new gets as far as to its database.
    service = create_app(config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path))
    service.lateness.seconds = 60
    async with client_of(service) as client:
        inbox = f"ib_{new_id().hex}_{new_id().hex}"
        assert overloaded(await client.post(f"/v1/inboxes/{inbox}/customers", json={}))
    await service.database.engine.dispose()
