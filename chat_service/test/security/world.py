"""Two workspaces with every kind of caller and every kind of target of the authorization matrix."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import httpx2

from chat_service.app import Service
from chat_service.test.addresses import BODIES, Stage, invited
from chat_service.test.agents.staffing import give_to, new_role, new_team
from chat_service.test.builders import ORIGIN, PASSWORD, Json, Person, Workspace, build_workspace
from chat_service.test.security.people import (
    HERE,
    THERE,
    Company,
    company_of,
    signed_in_again,
)
from chat_service.test.security.table import NO_TARGET
from chat_service.test.snapshot import rows_of

CUSTOMER_OF: Final = {
    "own": "visitor",
    "others": "verified",
    "waiting": "verified",
    "foreign": "foreign_visitor",
}
HELD_BY: Final = {"own": "holder", "others": "owner"}
MISSING: Final = "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"
UNHELD: Final = frozenset({"waiting", "foreign"})
SPENT_BY: Final = {
    "POST /v1/sessions/{session_id}/claim": UNHELD,
    "POST /v1/sessions/{session_id}/messages": UNHELD,
    "POST /v1/sessions/{session_id}/assign": frozenset(CUSTOMER_OF),
    "POST /v1/sessions/{session_id}/close": frozenset(CUSTOMER_OF),
    "DELETE /v1/sessions/{session_id}/messages/{message_id}": frozenset(CUSTOMER_OF),
}
"""What leaves sessions of some kinds otherwise than the kind says: the next caller gets another."""


@dataclass
class Target:
    """A session with a message of its customer, and what else of its workspace may be named."""

    inbox_key: str
    session_id: str = MISSING
    message_id: str = MISSING
    customer_id: str = MISSING
    inbox_id: str = MISSING
    """Of an inbox at which nobody began."""
    key_id: str = MISSING
    """Of an API key that may be revoked."""
    signing_key_id: str = MISSING
    """Of a key of that inbox, which has room for one more."""
    agent_id: str = MISSING
    login_id: str = MISSING
    role_id: str = MISSING
    team_id: str = MISSING


@dataclass
class World:
    """Who calls and what is called."""

    here: Company
    there: Company
    people: dict[str, Person]
    targets: dict[str, Target]
    rows: Json | None = None
    """All that stood in the tables when they were last looked at, until something is changed."""

    def company(self, kind: str) -> Company:
        """Where a kind of target, or of caller, belongs to."""
        return self.there if kind.startswith("foreign") else self.here

    def target_of(self, kind: str) -> Target:
        """The target of a kind; what has none stands before that of the visitor."""
        return self.targets["own" if kind == NO_TARGET else kind]

    async def renew(self, kind: str) -> None:
        """Another target of a kind, in the state its kind says; the session of the old one ends."""
        old = self.targets.get(kind)
        self.targets[kind] = await self._target(kind)
        if old is not None:
            await self.end(kind, old.session_id)

    async def _target(self, kind: str) -> Target:
        if kind == "missing":
            inbox_key = f"{self.here.workspace.inbox_key[:-32]}{MISSING.replace('-', '')}"
            return Target(inbox_key)
        company, customer = self.company(kind), self.people[CUSTOMER_OF[kind]]
        begun = await customer.start()
        session_id = begun["session"]["id"]
        if kind in HELD_BY:
            path = f"/v1/sessions/{session_id}/claim"
            assert (await self.people[HELD_BY[kind]].post(path)).status_code == 200
        if kind == "own":
            await give_to(company.boss, session_id, company.teams["teammate"])
        target = self.targets.get(kind) or await self._estate(kind)
        return replace(target, session_id=session_id, message_id=begun["message"]["id"])

    async def _estate(self, kind: str) -> Target:
        """What stands of a workspace whatever becomes of its sessions."""
        company = self.company(kind)
        workspace, boss = company.workspace, company.boss
        target = Target(workspace.inbox_key, customer_id=self.people[CUSTOMER_OF[kind]].id)
        if kind not in ("own", "foreign"):
            return target
        inbox = await another_inbox(boss)
        signing = await boss.post(f"/v1/inboxes/{inbox}/keys", {"algorithm": "HS256"})
        return replace(
            target,
            inbox_id=inbox,
            key_id=str(UUID((await workspace.key()).id)),
            signing_key_id=signing.json()["key"]["id"],
            agent_id=(await invited(workspace)).id,
            login_id=await self.login() if kind == "own" else MISSING,
            role_id=await new_role(boss),
            team_id=await new_team(boss),
        )

    async def restaff(self, kind: str) -> None:
        """Another role and team of a target's workspace."""
        boss = self.company(kind).boss
        made = {"role_id": await new_role(boss), "team_id": await new_team(boss)}
        self.targets[kind] = replace(self.targets[kind], **made)

    async def login(self) -> str:
        """Another login of `holder` beside the one he calls by."""
        token = await signed_in_again(self.here.workspace, self.people["holder"])
        return str(UUID(token.split("_")[2]))

    async def again(self, caller: str) -> Person:
        """The same caller by a token that may be ended."""
        person, company = self.people[caller], self.company(caller)
        if "agent" not in person.details:
            return await company.person(caller.removeprefix("foreign_"))
        return replace(person, token=await signed_in_again(company.workspace, person))

    async def guest(self, kind: str) -> str:
        """A customer to whom anything may be done."""
        return (await self.company(kind).workspace.customer()).id

    async def end(self, kind: str, session_id: str) -> None:
        """Close a session, so that its customer may start others."""
        await self.company(kind).boss.post(f"/v1/sessions/{session_id}/close")

    async def body(self, address: str, caller: str, target: Target) -> Json | None:
        """A body that is good but for the right to send it."""
        if address not in BODIES:
            return None
        link = (await invited(self.here.workspace)).link if address.endswith("/links") else ""
        body = BODIES[address](self.stage(target, link))
        if "assignee" in body:
            away = "foreign_" if caller.startswith("foreign") else ""
            body["assignee"]["id"] = self.people[f"{away}agent"].id
        if "customer_id" in body:
            body["customer_id"] = target.customer_id
        return body

    def stage(self, target: Target, link: str) -> Stage:
        """The main workspace with a target in it."""
        return Stage(
            workspace=self.here.workspace,
            customer=self.people["visitor"],
            agent=self.people["owner"],
            key=self.people["key"],
            session_id=target.session_id,
            message_id=target.message_id,
            inbox_id=target.inbox_id,
            key_id=target.key_id,
            signing_key_id=target.signing_key_id,
            colleague_id=target.agent_id,
            link=link,
            role_id=target.role_id,
            team_id=target.team_id,
        )

    async def look(self) -> Json:
        """All that stands in the tables of both workspaces."""
        self.rows = await rows_of(self.here.workspace, self.there.workspace)
        return self.rows


async def build_world(workspace: Workspace, service: Service) -> World:
    """Two workspaces, their people, and a target of each kind."""
    here = await company_of(workspace)
    there = await company_of(await build_workspace(service, workspace.client))
    people = {kind: await here.person(kind) for kind in HERE}
    people |= {f"foreign_{kind}": await there.person(kind) for kind in THERE}
    for number, person in enumerate(people.values()):
        person.client = _client_from(service, f"198.51.100.{number}")
    await _begin_second_factors(people)
    world = World(here, there, people, {})
    for kind in (*CUSTOMER_OF, "missing"):
        await world.renew(kind)
    return world


def _client_from(service: Service, address: str) -> httpx2.AsyncClient:
    """A client with an address of its own, where its tries are counted; it holds nothing open."""
    transport = httpx2.ASGITransport(app=service, client=(address, 40_000))
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


async def another_inbox(boss: Person) -> str:
    """The id of a new inbox."""
    made = await boss.post("/v1/inboxes", {"name": "Shop", "allowed_origins": [ORIGIN]})
    return str(made.json()["inbox"]["id"])


async def _begin_second_factors(people: dict[str, Person]) -> None:
    """Each agent who may still call begins a second factor, and does not confirm it."""
    for name, person in people.items():
        if "agent" in person.details and "deactivated" not in name and "expired" not in name:
            begun = await person.post("/v1/agents/me/second-factor", {"password": PASSWORD})
            assert begun.status_code == 201
