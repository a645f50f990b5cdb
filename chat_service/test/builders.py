"""Workspaces with people in them, made as the command line makes them, used through HTTP."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import logins
from chat_service.agents import services as agents
from chat_service.agents.logins import Device
from chat_service.agents.passwords import Passwords
from chat_service.agents.rendering import agent_view
from chat_service.agents.transport import SignedIn
from chat_service.app import Service
from chat_service.events.transaction import transaction
from chat_service.inboxes import services as inboxes
from chat_service.inboxes.queries import inbox_key
from chat_service.model import Inbox
from chat_service.schema import Permission, Role, RoleId, WorkspaceId, utc_now
from chat_service.workspaces import services as workspaces

PASSWORD = "correct horse battery staple"
ORIGIN = "https://shop.example.org"
Json = dict[str, Any]


@asynccontextmanager
async def writing(service: Service) -> AsyncIterator[AsyncSession]:
    """A transaction on a service's database, outside of a request."""
    with service.database.bound():
        async with transaction() as db:
            yield db


@dataclass
class Person:
    """Somebody with a token, who calls the service over HTTP."""

    client: httpx2.AsyncClient
    token: str
    id: str
    details: Json = field(default_factory=dict)

    async def call(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        """One request with this person's token."""
        headers = {"Authorization": f"Bearer {self.token}", **rest.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **rest)

    async def get(self, path: str, **rest: Any) -> httpx2.Response:
        """Read."""
        return await self.call("GET", path, **rest)

    async def post(self, path: str, json: Any = None, **rest: Any) -> httpx2.Response:
        """Change."""
        return await self.call("POST", path, json={} if json is None else json, **rest)

    async def start(self, text: str | None = "Hello", **fields: Any) -> Json:
        """Start a session, with a first message unless `text` is None; what the service answers."""
        body: Json = {"client_session_id": unique(), **fields}
        if text is not None:
            body["initial_message"] = message(text)
        response = await self.post("/v1/sessions", body)
        assert response.status_code in (200, 201), response.text
        started: Json = response.json()
        return started

    async def send(self, session_id: str, text: str = "Hello", **fields: Any) -> httpx2.Response:
        """Send a message."""
        return await self.post(f"/v1/sessions/{session_id}/messages", message(text, **fields))

    async def messages(self, session_id: str, **params: Any) -> list[Json]:
        """Messages of a session, as this person sees them."""
        response = await self.get(f"/v1/sessions/{session_id}/messages", params=params)
        assert response.status_code == 200, response.text
        data: list[Json] = response.json()["data"]
        return data

    async def events(self, session_id: str, **params: Any) -> list[Json]:
        """Events of a session, as this person sees them."""
        response = await self.get(f"/v1/sessions/{session_id}/events", params=params)
        assert response.status_code == 200, response.text
        data: list[Json] = response.json()["data"]
        return data


@dataclass
class Workspace:
    """A tenant with one inbox."""

    service: Service
    client: httpx2.AsyncClient
    id: WorkspaceId
    slug: str
    inbox_key: str
    inbox: Inbox

    async def customer(self, name: str = "Ada") -> Person:
        """A new customer of the inbox."""
        response = await self.client.post(
            f"/v1/inboxes/{self.inbox_key}/customers", json={"profile": {"name": name}}
        )
        assert response.status_code == 201, response.text
        body = response.json()
        return Person(self.client, body["access_token"], body["customer"]["id"], body)

    async def agent(
        self, role: Role = Role.AGENT, name: str = "Bob", *, role_id: str | None = None
    ) -> Person:
        """A new agent, signed in; with a `role_id` of that role of the workspace's own.

        His login is begun as signing in does at last, without what is looked at before.
        """
        email, config = f"{unique()}@example.org", self.service.config.auth
        hashed = await Passwords(config).hash(PASSWORD)
        async with writing(self.service) as db:
            agent = await agents.create(
                db,
                self.id,
                email=email,
                name=name,
                role=role if role_id is None else Role.CUSTOM,
                role_id=None if role_id is None else RoleId(UUID(role_id)),
                password_hash=hashed,
                now=utc_now(),
            )
            device, now = Device("127.0.0.1", "tests"), self.service.clock()
            _, token = await logins.begin(db, agent, device, config, now=now)
        signed_in = SignedIn(
            agent=agent_view(agent),
            access_token=token,
            expires_in=config.agent_token_seconds,
            websocket_url="ws://test/v1/realtime",
        ).model_dump(mode="json")
        return Person(self.client, token, signed_in["agent"]["id"], signed_in)

    async def key(
        self, scopes: Collection[Permission] = tuple(Permission), days: float = 1
    ) -> Person:
        """A new API key."""
        now = utc_now()
        async with writing(self.service) as db:
            token = await agents.create_key(
                db,
                self.id,
                name="Integration",
                scopes=scopes,
                expires_at=now + timedelta(days=days),
                now=now,
            )
        return Person(self.client, token, token.split("_")[2])


async def build_workspace(
    service: Service, client: httpx2.AsyncClient, *, origin: str = ORIGIN
) -> Workspace:
    """A workspace of its own."""
    slug = f"w-{unique()}"
    async with writing(service) as db:
        tenant = await workspaces.create(db, slug=slug, name="Test", now=utc_now())
        inbox = await inboxes.create(
            db, tenant.id, name="Website", allowed_origins=[origin], now=utc_now()
        )
    return Workspace(service, client, tenant.id, slug, inbox_key(inbox), inbox)


def unique() -> str:
    """A client's own id, or any name that occurs once."""
    return uuid4().hex[:24]


def message(text: str = "Hello", **fields: Any) -> Json:
    """The body of a send."""
    content = {"type": "text", "text": text}
    return {"client_message_id": unique(), "content": content, **fields}
