"""Two workspaces with every kind of caller and every kind of target of the authorization matrix."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from chat_service.app import Service
from chat_service.schema import Role
from chat_service.test.addresses import BODIES, Stage, invited
from chat_service.test.agents.staffing import new_role, new_team
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, build_workspace, unique
from chat_service.test.rows import deactivate

CUSTOMER_OF: Final = {
    "own": "customer",
    "others": "other_customer",
    "waiting": "other_customer",
    "foreign": "foreign_customer",
}
HELD_BY: Final = {"own": "holder", "others": "owner"}
MISSING: Final = "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"


@dataclass
class Target:
    """A session with a message of its customer."""

    inbox_key: str
    session_id: str = MISSING
    message_id: str = MISSING
    customer_id: str = MISSING
    inbox_id: str = MISSING
    key_id: str = MISSING
    """Of an API key that may be revoked."""
    signing_key_id: str = MISSING
    agent_id: str = MISSING
    login_id: str = MISSING
    role_id: str = MISSING
    team_id: str = MISSING


@dataclass
class World:
    """Who calls and what is called."""

    here: Workspace
    there: Workspace
    people: dict[str, Person]
    targets: dict[str, Target]
    spare_keys: dict[str, str]
    """The id of an API key for each of the workspaces."""
    signing_keys: dict[str, str]
    """A key of the inbox of each workspace, which has room for one more."""
    links: dict[str, str]
    """A link that nobody has used yet, for each caller."""
    colleagues: dict[str, str]
    """An agent who calls nobody, here and `foreign`."""
    spare_login: str
    """A login of `holder` beside the one he calls by."""

    async def target(self, kind: str) -> Target:
        """A new session of a kind, in the state its kind says."""
        if kind == "missing":
            inbox_key = f"{self.here.inbox_key[:-32]}{MISSING.replace('-', '')}"
            return Target(inbox_key)
        customer = self.people[CUSTOMER_OF[kind]]
        begun = await customer.start()
        if kind in HELD_BY:
            path = f"/v1/sessions/{begun['session']['id']}/claim"
            assert (await self.people[HELD_BY[kind]].post(path)).status_code == 200
        workspace = self.there if kind == "foreign" else self.here
        session_id, message_id = begun["session"]["id"], begun["message"]["id"]
        colleague = self.colleagues["foreign" if kind == "foreign" else "here"]
        return Target(
            workspace.inbox_key,
            session_id=session_id,
            message_id=message_id,
            customer_id=customer.id,
            inbox_id=str(workspace.inbox.id),
            key_id=self.spare_keys[workspace.slug],
            signing_key_id=self.signing_keys[workspace.slug],
            agent_id=colleague,
            login_id=self.spare_login if kind == "own" else MISSING,
        )

    async def somebody(self, target: Target) -> Target:
        """The same, but for a customer of his own, to whom anything may be done."""
        away = target.inbox_key == self.there.inbox_key
        customer = await (self.there if away else self.here).customer()
        return replace(target, customer_id=customer.id)

    async def staffed(self, kind: str) -> Target:
        """The target of a kind, with a role and a team of its workspace that are new."""
        owner = self.people["foreign_owner" if kind == "foreign" else "owner"]
        made = {"role_id": await new_role(owner), "team_id": await new_team(owner)}
        return replace(self.targets[kind], **made)

    async def end(self, kind: str, session_id: str) -> None:
        """Close a session, so that its customer may start others."""
        owner = self.people["foreign_owner" if kind == "foreign" else "owner"]
        await owner.post(f"/v1/sessions/{session_id}/close")

    def body(self, address: str, caller: str, target: Target) -> Json | None:
        """A body that is good but for the right to send it."""
        if address not in BODIES:
            return None
        body = BODIES[address](self.stage(target, self.links[caller]))
        if "assignee" in body:
            away = caller.startswith("foreign")
            body["assignee"]["id"] = self.people["foreign_owner" if away else "agent"].id
        if "customer_id" in body:
            body["customer_id"] = target.customer_id
        return body

    def stage(self, target: Target, link: str) -> Stage:
        """The main workspace with a target in it."""
        return Stage(
            workspace=self.here,
            customer=self.people["customer"],
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


async def build_world(here: Workspace, service: Service) -> World:
    """Two workspaces, their people, and a target of each kind."""
    there = await build_workspace(service, here.client)
    people = {name: await person(name, here, there) for name in PEOPLE}
    spare = {place.slug: str(UUID((await place.key()).id)) for place in (here, there)}
    signing = {
        here.slug: await key_of(here, people["key"]),
        there.slug: await key_of(there, people["foreign_key"]),
    }
    links = {name: (await invited(here)).link for name in PEOPLE}
    colleagues = {"here": (await invited(here)).id, "foreign": (await invited(there)).id}
    for name in ("owner", "holder", "agent", "viewer", "foreign_owner"):
        begun = await people[name].post("/v1/agents/me/second-factor", {"password": PASSWORD})
        assert begun.status_code == 201
    login = await spare_login(here, people["holder"])
    world = World(here, there, people, {}, spare, signing, links, colleagues, login)
    for kind in (*CUSTOMER_OF, "missing"):
        world.targets[kind] = await world.target(kind)
    for kind in ("own", "foreign"):
        world.targets[kind] = await world.staffed(kind)
    return world


async def key_of(workspace: Workspace, manager: Person) -> str:
    """A new key of a workspace's inbox."""
    path = f"/v1/inboxes/{workspace.inbox.id}/keys"
    made = await manager.post(path, {"algorithm": "HS256"})
    return str(made.json()["key"]["id"])


async def spare_login(here: Workspace, holder: Person) -> str:
    """The id of another login of somebody."""
    email = holder.details["agent"]["email"]
    body = {"email": email, "password": PASSWORD, "workspace": here.slug}
    token = (await here.client.post("/v1/auth/sign-in", json=body)).json()["access_token"]
    return str(UUID(token.split("_")[2]))


PEOPLE: Final = (
    "nobody",
    "customer",
    "other_customer",
    "owner",
    "holder",
    "agent",
    "viewer",
    "key",
    "bare_key",
    "expired_key",
    "deactivated",
    "signed_out",
    "foreign_customer",
    "foreign_owner",
    "foreign_key",
)


async def person(name: str, here: Workspace, there: Workspace) -> Person:
    """Somebody new of one of the kinds the matrix names."""
    workspace = there if name.startswith("foreign") else here
    match name.removeprefix("foreign_"):
        case "nobody":
            return Person(here.client, "", "")
        case "customer" | "other_customer":
            return await workspace.customer(unique())
        case "signed_out":
            customer = await workspace.customer()
            await customer.post("/v1/auth/sign-out")
            return customer
        case "owner":
            return await workspace.agent(Role.OWNER)
        case "viewer":
            return await workspace.agent(Role.VIEWER)
        case "key":
            return await workspace.key()
        case "bare_key":
            return await workspace.key(scopes=[])
        case "expired_key":
            return await workspace.key(days=-1)
    agent = await workspace.agent()
    if name == "deactivated":
        await deactivate(workspace, agent)
    return agent
