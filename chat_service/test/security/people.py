"""Every kind of caller of the authorization matrix, in one workspace and in another."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from chat_service.model import Customer, Token
from chat_service.schema import CustomerId, InboxId, Permission, Role, TokenId
from chat_service.test.agents.staffing import agent_with, new_team, put_in
from chat_service.test.builders import PASSWORD, Person, Workspace, unique
from chat_service.test.customers.site import Site, identified, site_of
from chat_service.test.rows import change_row

P = Permission
TEAM_RIGHTS: Final = (
    P.SESSIONS_READ_TEAM,
    P.SESSIONS_WRITE,
    P.SESSIONS_ASSIGN,
    P.SESSIONS_CLOSE,
    P.MESSAGES_WRITE,
    P.MESSAGES_WRITE_NOTE,
    P.CUSTOMERS_READ,
    P.CUSTOMERS_WRITE,
)
"""Those of the role `agent`, but that only the sessions of one's teams may be read."""
HERE: Final = (
    "nobody",
    "visitor",
    "other_visitor",
    "verified",
    "owner",
    "admin",
    "supervisor",
    "viewer",
    "agent",
    "holder",
    "teammate",
    "outsider",
    "key",
    "bot",
    "bare_key",
    "blocked",
    "deactivated",
    "revoked_key",
    "signed_out",
    "expired_visitor",
    "expired_agent",
    "expired_key",
)
THERE: Final = (
    "visitor",
    "verified",
    "owner",
    "admin",
    "supervisor",
    "viewer",
    "agent",
    "outsider",
    "key",
    "bot",
    "deactivated",
    "expired_key",
)
PEOPLE: Final = (*HERE, *(f"foreign_{kind}" for kind in THERE))


@dataclass(frozen=True)
class Company:
    """A workspace whose owner and host site let people in; `teams` are by the kind of their agents."""

    workspace: Workspace
    boss: Person
    site: Site
    teams: dict[str, str]

    async def person(self, kind: str) -> Person:
        """Somebody new of a kind; the owner is the one there is."""
        if kind == "owner":
            return self.boss
        if kind in ("admin", "supervisor", "viewer"):
            return await self.workspace.agent(Role(kind))
        if kind in ("agent", "holder", "teammate", "outsider"):
            return await self._agent(kind)
        if kind.endswith("key") or kind == "bot":
            return await self._program(kind)
        if kind in ("deactivated", "expired_agent"):
            return await self._former_agent(kind)
        return await self._customer(kind)

    async def _agent(self, kind: str) -> Person:
        if kind not in self.teams:
            return await self.workspace.agent()
        agent = await agent_with(self.workspace, self.boss, *TEAM_RIGHTS)
        await put_in(self.boss, self.teams[kind], [agent])
        return agent

    async def _former_agent(self, kind: str) -> Person:
        agent = await self.workspace.agent()
        if kind == "deactivated":
            answer = await self.boss.post(f"/v1/agents/{agent.id}/deactivate")
            assert answer.status_code == 200
        else:
            past = self.workspace.service.clock() - timedelta(seconds=1)
            await change_row(self.workspace, Token, agent.token.split("_")[2], expires_at=past)
        return agent

    async def _program(self, kind: str) -> Person:
        if kind == "bot":
            made = await self.boss.post("/v1/api-keys", {"name": "Bot", "role": "bot"})
            assert made.status_code == 201, made.text
            return Person(self.boss.client, made.json()["token"], made.json()["api_key"]["id"])
        scopes = [] if kind == "bare_key" else list(Permission)
        key = await self.workspace.key(scopes, days=-1 if kind == "expired_key" else 1)
        if kind == "revoked_key":
            answer = await self.boss.call("DELETE", f"/v1/api-keys/{UUID(key.id)}")
            assert answer.status_code == 204
        return key

    async def _customer(self, kind: str) -> Person:
        if kind == "nobody":
            return Person(self.workspace.client, "", "")
        if kind == "verified":
            return await identified(self.site, unique())
        customer = await self.workspace.customer()
        if kind == "blocked":
            path = f"/v1/customers/{customer.id}/block"
            assert (await self.boss.post(path)).status_code == 200
        elif kind == "signed_out":
            assert (await customer.post("/v1/auth/sign-out")).status_code == 204
        elif kind == "expired_visitor":
            customer.token = self._old_token(customer)
        return customer

    def _old_token(self, customer: Person) -> str:
        """What a customer was given an hour ago."""
        service, inbox = self.workspace.service, self.workspace.inbox
        keys = service.quart.extensions["chat_service"].keys
        family = TokenId(UUID(keys.claims(customer.token)["family"]))
        row = Customer(
            workspace_id=self.workspace.id,
            id=CustomerId(UUID(customer.id)),
            inbox_id=InboxId(inbox.id),
        )
        ago = service.clock() - timedelta(hours=1)
        token: str = keys.customer_token(row, family, now=ago, lifetime=timedelta(minutes=15))
        return token


async def company_of(workspace: Workspace) -> Company:
    """A workspace with an owner, a host site and two teams."""
    boss = await workspace.agent(Role.OWNER)
    teams = {kind: await new_team(boss) for kind in ("teammate", "outsider")}
    return Company(workspace, boss, await site_of(workspace), teams)


async def signed_in_again(workspace: Workspace, agent: Person) -> str:
    """The token of one more login of an agent."""
    email = agent.details["agent"]["email"]
    body = {"email": email, "password": PASSWORD, "workspace": workspace.slug}
    token: str = (await workspace.client.post("/v1/auth/sign-in", json=body)).json()["access_token"]
    return token
