"""A good request to every address of the service, for tests that go over all of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

import httpx2
from quart import Quart
from typed_settings.types import Secret

from chat_service.agents import links
from chat_service.agents import services as agents
from chat_service.app import create_app
from chat_service.config import Auth, Config, Log
from chat_service.operations.openapi import build_document
from chat_service.schema import AgentStatus, Role
from chat_service.test.agents.staffing import new_role, new_team
from chat_service.test.builders import (
    ORIGIN,
    PASSWORD,
    Json,
    Person,
    Workspace,
    message,
    unique,
    writing,
)
from chat_service.transport import AN_ID
from chat_service.web import Documented, Who, documented

_VARIABLE: Final = re.compile("<(?:[^:>]*:)?([^>]+)>")
_BRACED: Final = r"{\1}"


@dataclass
class Stage:
    """A workspace with one of everything an address may name."""

    workspace: Workspace
    customer: Person
    agent: Person
    key: Person
    session_id: str
    message_id: str
    inbox_id: str
    key_id: str
    """Of a key that may be revoked: nobody on the stage calls with it."""
    colleague_id: str
    """An agent who is invited and has not come yet."""
    signing_key_id: str = AN_ID
    """Of the inbox, as far as it has one."""
    role_id: str = AN_ID
    team_id: str = AN_ID
    link: str = ""
    """A link that was given to somebody; without one it is a link that nobody was given."""

    @property
    def platform(self) -> Person:
        """Whoever runs the installation."""
        token = self.workspace.service.config.auth.platform_token
        assert token is not None
        return Person(self.workspace.client, token.get_secret_value(), "")

    @property
    def link_token(self) -> str:
        """A link by its form."""
        return self.link or f"il_{self.workspace.id.hex}_{'0' * 32}_{'0' * 64}"

    @property
    def login_id(self) -> str:
        """The login of the agent here."""
        return str(UUID(self.agent.token.split("_")[2]))

    def path(self, address: str) -> str:
        """The path of an address, with what stands on this stage."""
        names = {
            "session_id": self.session_id,
            "message_id": self.message_id,
            "role_id": self.role_id,
            "team_id": self.team_id,
            "inbox_key": self.workspace.inbox_key,
            "inbox_id": self.inbox_id,
            "key_id": self.key_id,
            "signing_key_id": self.signing_key_id,
            "customer_id": self.customer.id,
            "agent_id": self.colleague_id,
            "login_id": self.login_id,
            "code": "not_found",
            "name": "pages.css",
            "identity_id": "0" * 32,
        }
        return address.partition(" ")[2].format(**names)

    async def call(
        self, address: str, *, caller: str | None = None, token: str | None = None, **rest: Any
    ) -> httpx2.Response:
        """A good request to an address, by somebody who may send it; `rest` changes it."""
        method = address.partition(" ")[0]
        person: Person = getattr(self, caller or caller_of(address))
        given = person.token if token is None else token
        headers = {"Authorization": f"Bearer {given}", **rest.pop("headers", {})}
        if address in BODIES and "content" not in rest:
            rest.setdefault("json", BODIES[address](self))
        path = self.path(address) + rest.pop("query", "")
        return await self.workspace.client.request(method, path, headers=headers, **rest)


BODIES: Final[dict[str, Callable[[Stage], Json]]] = {
    "POST /v1/auth/sign-in": lambda stage: {
        "email": stage.agent.details["agent"]["email"],
        "password": PASSWORD,
        "workspace": stage.workspace.slug,
    },
    "POST /v1/auth/sign-out": lambda stage: {},
    "POST /v1/auth/token": lambda stage: {"refresh_token": stage.customer.details["refresh_token"]},
    "POST /v1/auth/oidc/start": lambda stage: {
        "purpose": "sign_in",
        "workspace": stage.workspace.slug,
    },
    "POST /v1/auth/oidc/finish": lambda stage: {"flow": "x", "code": "x", "state": "x"},
    "POST /v1/realtime/tickets": lambda stage: {"device_id": "tab-1"},
    "POST /v1/inboxes/{inbox_key}/customers": lambda stage: {"profile": {"name": "Eve"}},
    "POST /v1/inboxes/{inbox_id}/keys": lambda stage: {"algorithm": "HS256"},
    "PATCH /v1/customers/me": lambda stage: {"name": "Eve"},
    "PATCH /v1/customers/{customer_id}": lambda stage: {"name": "Eve"},
    "POST /v1/customers/{customer_id}/block": lambda stage: {},
    "POST /v1/customers/{customer_id}/unblock": lambda stage: {},
    "POST /v1/sessions": lambda stage: {
        "client_session_id": unique(),
        "customer_id": stage.customer.id,
        "initial_message": message(),
    },
    "PATCH /v1/sessions/{session_id}": lambda stage: {"subject": "Late order"},
    "PUT /v1/sessions/{session_id}/read-state": lambda stage: {"read_seq": 1},
    "POST /v1/sessions/{session_id}/typing": lambda stage: {"is_typing": True},
    "POST /v1/roles": lambda stage: {"name": unique(), "permissions": []},
    "PATCH /v1/roles/{role_id}": lambda stage: {"permissions": []},
    "POST /v1/teams": lambda stage: {"name": unique()},
    "PATCH /v1/teams/{team_id}": lambda stage: {"name": unique()},
    "PUT /v1/teams/{team_id}/members/{agent_id}": lambda stage: {},
    "PATCH /v1/agents/me/availability": lambda stage: {"availability": "away"},
    "POST /v1/auth/links": lambda stage: {
        "token": stage.link_token,
        "password": "a staple that was chosen",
    },
    "POST /v1/auth/recovery": lambda stage: {
        "email": f"{unique()}@example.org",
        "workspace": stage.workspace.slug,
    },
    "POST /v1/agents": lambda stage: {
        "email": f"{unique()}@example.org",
        "display_name": "Nora New",
        "role": "agent",
    },
    "PATCH /v1/agents/{agent_id}": lambda stage: {"display_name": "Nora Newman"},
    "POST /v1/agents/{agent_id}/activate": lambda stage: {},
    "POST /v1/agents/{agent_id}/deactivate": lambda stage: {},
    "POST /v1/agents/{agent_id}/link": lambda stage: {},
    "POST /v1/agents/me/password": lambda stage: {"old_password": PASSWORD, "password": PASSWORD},
    "POST /v1/agents/me/second-factor": lambda stage: {"password": PASSWORD},
    "POST /v1/agents/me/second-factor/confirm": lambda stage: {"code": "123456"},
    "DELETE /v1/agents/me/second-factor": lambda stage: {"password": PASSWORD, "code": "123456"},
    "POST /v1/sessions/{session_id}/claim": lambda stage: {},
    "POST /v1/sessions/{session_id}/assign": lambda stage: {
        "assignee": {"type": "agent", "id": stage.agent.id}
    },
    "POST /v1/sessions/{session_id}/close": lambda stage: {},
    "POST /v1/sessions/{session_id}/reopen": lambda stage: {},
    "POST /v1/sessions/{session_id}/messages": lambda stage: message(),
    "PATCH /v1/sessions/{session_id}/messages/{message_id}": lambda stage: {
        "content": {"type": "text", "text": "Other words"}
    },
    "PATCH /v1/workspace": lambda stage: {"name": "Example Shop"},
    "POST /v1/workspaces": lambda stage: {
        "slug": f"w-{unique()}",
        "name": "Example Shop",
        "owner_email": "owner@example.org",
        "owner_name": "Olivia Owner",
    },
    "POST /v1/inboxes": lambda stage: {"name": "Website", "allowed_origins": [ORIGIN]},
    "PATCH /v1/inboxes/{inbox_id}": lambda stage: {"name": "Shop"},
    "POST /v1/api-keys": lambda stage: {"name": "Shop", "scopes": ["messages:write"]},
}


OFF: Final = frozenset(
    {
        "GET /v1/auth/oidc",
        "POST /v1/auth/oidc/start",
        "POST /v1/auth/oidc/finish",
        "GET /v1/agents/me/identities",
        "DELETE /v1/agents/me/identities/{identity_id}",
    }
)
"""Addresses that are there where a provider is configured; `agents/oidc_place.py` has such a service."""


async def build_stage(workspace: Workspace) -> Stage:
    """One of everything: the session is the customer's, and so is its message."""
    customer, owner = await workspace.customer(), await workspace.agent(Role.OWNER)
    begun = await customer.start()
    return Stage(
        workspace=workspace,
        customer=customer,
        agent=owner,
        key=await workspace.key(),
        session_id=begun["session"]["id"],
        message_id=begun["message"]["id"],
        inbox_id=str(workspace.inbox.id),
        key_id=str(UUID((await workspace.key()).id)),
        colleague_id=(await invited(workspace)).id,
        role_id=await new_role(owner),
        team_id=await new_team(owner),
    )


@dataclass(frozen=True)
class Invited:
    """Somebody who was invited, and the link he was given."""

    id: str
    email: str
    link: str


async def invited(workspace: Workspace, role: Role = Role.AGENT) -> Invited:
    """Invite somebody, as the command line does."""
    email, now = f"{unique()}@example.org", workspace.service.clock()
    async with writing(workspace.service) as db:
        agent = await agents.create(
            db,
            workspace.id,
            email=email,
            name="Nora New",
            role=role,
            password_hash=None,
            status=AgentStatus.INVITED,
            now=now,
        )
        link = await links.issue(db, agent, workspace.service.config.auth, now=now)
    return Invited(str(agent.id), email, link.token)


@cache
def bare_app() -> Quart:
    """An application that nothing is asked of, for what is known before anything runs."""
    config = Config(
        auth=Auth(secret_key=Secret("0" * 32)), log=Log(level="warning"), environment="development"
    )
    return create_app(config).quart


@cache
def api_document() -> Json:
    """The API's document."""
    document: Json = build_document(bare_app())
    return document


@cache
def addresses() -> tuple[str, ...]:
    """Every live address as "METHOD /path/{name}", as in the API's document."""
    return tuple(sorted(_routes()))


def in_turn() -> list[str]:
    """The same in an order in which each finds what it names: what ends something comes behind."""
    return sorted(addresses(), key=lambda each: (_end(each), each))


def _end(address: str) -> int:
    method, _, path = address.partition(" ")
    if path.endswith("/block") or method == "DELETE" and "/me/logins" in path:
        return 3
    if path.endswith("/sign-out") or method == "DELETE":
        return 2
    return int(path.endswith("/deactivate"))


def _routes() -> dict[str, str]:
    """The endpoint of each address; HEAD and OPTIONS come by themselves."""
    return {
        f"{method} {_VARIABLE.sub(_BRACED, rule.rule)}": rule.endpoint
        for rule in bare_app().url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    }


def said_of(address: str) -> Documented:
    """What an address says of itself."""
    return documented(bare_app().view_functions[_routes()[address]])


def who_of(address: str) -> Who:
    """Whom an address serves."""
    return said_of(address).who


def caller_of(address: str) -> str:
    """Somebody on the stage whom the address serves; the author, where only he may.

    The agent stays signed in, for others go on.
    """
    who = who_of(address)
    if "{message_id}" in address or Who.PUBLIC in who or address.endswith("/sign-out"):
        return "customer"
    kinds = {"key": Who.KEY, "agent": Who.AGENT, "customer": Who.CUSTOMER, "platform": Who.PLATFORM}
    return next(name for name, kind in kinds.items() if kind in who)
