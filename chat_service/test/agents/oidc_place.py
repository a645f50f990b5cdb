"""A workspace whose agents may sign in by a provider, and the ways there and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import dropwhile
from typing import Any, Final

import attrs
import httpx2
import pytest
from sqlalchemy import select
from typed_settings.types import Secret

from chat_service.agents import services as agents
from chat_service.app import Service, create_app
from chat_service.config import Oidc
from chat_service.model import Agent, AuditEntry, OneTimeLink
from chat_service.schema import (
    AgentStatus,
    LinkId,
    LinkPurpose,
    Role,
    new_id,
    utc_now,
)
from chat_service.test.agents.provider import CLIENT, SECRET, Program, providing
from chat_service.test.browsers import OWN
from chat_service.test.builders import (
    PASSWORD,
    Json,
    Person,
    Workspace,
    build_workspace,
    unique,
    writing,
)
from chat_service.test.fakes import TurningClock
from chat_service.tokens import hash_secret, new_secret, opaque_token

START: Final = "/v1/auth/oidc/start"
FINISH: Final = "/v1/auth/oidc/finish"
IDENTITIES: Final = "/v1/agents/me/identities"


@dataclass
class Place:
    """A workspace and a provider."""

    workspace: Workspace
    provider: Program

    async def call(
        self, method: str, path: str, body: Json | None = None, *, who: Person | None = None
    ) -> httpx2.Response:
        """One request, by somebody or by nobody."""
        headers = {"Authorization": f"Bearer {who.token}"} if who else {}
        return await self.workspace.client.request(method, path, json=body, headers=headers)

    async def start(
        self, purpose: str = "sign_in", *, who: Person | None = None, **fields: Any
    ) -> Json:
        """Begin a way to the provider."""
        if purpose == "sign_in":
            fields.setdefault("workspace", self.workspace.slug)
        if purpose == "link":
            fields.setdefault("password", PASSWORD)
        response = await self.call("POST", START, {"purpose": purpose, **fields}, who=who)
        assert response.status_code == 200, response.text
        started: Json = response.json()
        return started

    async def finish(
        self, started: Json, back: Json, *, who: Person | None = None, **fields: Any
    ) -> httpx2.Response:
        """Come back with what the provider gave."""
        body = {"flow": started["flow"], **back, **fields}
        return await self.call("POST", FINISH, body, who=who)

    async def go(
        self,
        subject: str,
        purpose: str = "sign_in",
        *,
        who: Person | None = None,
        link_token: str | None = None,
        **fields: Any,
    ) -> httpx2.Response:
        """The whole way, as somebody at the provider."""
        given = {"link_token": link_token} if link_token else {}
        started = await self.start(purpose, who=who, **given)
        back = self.provider.visit(started["authorization_url"], subject)
        return await self.finish(started, back, who=who, **fields)

    async def linked(self, subject: str, role: Role = Role.AGENT) -> Person:
        """An agent with an account at the provider."""
        agent = await self.workspace.agent(role)
        response = await self.go(subject, "link", who=agent)
        assert response.status_code == 200, response.text
        return agent

    async def invite(
        self, *, seconds: float = 600, purpose: LinkPurpose = LinkPurpose.INVITATION
    ) -> tuple[Agent, str]:
        """Somebody who is invited, and the text of his link."""
        place, link_id, secret, now = self.workspace, LinkId(new_id()), new_secret(), utc_now()
        async with writing(place.service) as db:
            agent = await agents.create(
                db,
                place.id,
                email=f"{unique()}@example.org",
                name="Eve",
                role=Role.AGENT,
                password_hash=None,
                status=AgentStatus.INVITED,
                now=now,
            )
            db.add(
                OneTimeLink(
                    workspace_id=place.id,
                    id=link_id,
                    agent_id=agent.id,
                    purpose=purpose,
                    secret_hash=hash_secret(secret),
                    expires_at=now + timedelta(seconds=seconds),
                )
            )
        return agent, opaque_token("il", place.id, link_id, secret)

    async def audited(self) -> list[AuditEntry]:
        """What the audit log tells since the first account was linked, the oldest first."""
        query = select(AuditEntry).where(AuditEntry.workspace_id == self.workspace.id)
        async with writing(self.workspace.service) as db:
            entries = list(await db.scalars(query.order_by(AuditEntry.id)))
        return list(dropwhile(lambda each: each.action != "agent.identity_linked", entries))


def signed_in(response: httpx2.Response, client: httpx2.AsyncClient) -> Person:
    """Who has got a token."""
    assert response.status_code == 200, response.text
    body = response.json()
    return Person(client, body["access_token"], body["agent"]["id"], body)


def told(response: httpx2.Response) -> tuple[int, Json]:
    """All that an answer tells, but for the id of the request."""
    return response.status_code, response.json() | {"request_id": ""}


@asynccontextmanager
async def serving(base: Service, clock: TurningClock, **oidc: Any) -> AsyncIterator[Service]:
    """The same database, served where agents may sign in by a provider."""
    settings = {"client_id": CLIENT, "client_secret": Secret(SECRET), "name": "Example ID"}
    config = attrs.evolve(
        base.config,
        oidc=Oidc(**{**settings, **oidc}),
        server=attrs.evolve(base.config.server, public_url=OWN),
    )
    service = create_app(config, clock=clock)
    yield service
    await service.database.engine.dispose()


@asynccontextmanager
async def settled(service: Service, provider: Program) -> AsyncIterator[Place]:
    """A new workspace of a service; its people come from an address of their own."""
    text = unique()
    place = (f"2001:db8:{text[:4]}:{text[4:8]}::3", 1)
    transport = httpx2.ASGITransport(app=service, client=place)
    async with httpx2.AsyncClient(transport=transport, base_url=OWN) as client:
        yield Place(await build_workspace(service, client), provider)


@pytest.fixture(scope="module")
async def provider(turning_clock: TurningClock) -> AsyncIterator[Program]:
    """One provider for all tests of a file."""
    async with providing(turning_clock) as program:
        yield program


@pytest.fixture(scope="module")
async def oidc_service(
    service: Service, provider: Program, turning_clock: TurningClock
) -> AsyncIterator[Service]:
    """A service that knows this provider."""
    async with serving(service, turning_clock, issuer=provider.issuer) as other:
        yield other


@pytest.fixture
async def place(oidc_service: Service, provider: Program) -> AsyncIterator[Place]:
    """A workspace of the test's own, and a provider that behaves."""
    provider.behave()
    async with settled(oidc_service, provider) as found:
        yield found
