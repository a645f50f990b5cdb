"""A good request to every address of the service, for tests that go over all of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpx2
from quart import Quart
from typed_settings.types import Secret

from chat_service.app import create_app
from chat_service.config import Auth, Config, Log
from chat_service.operations.openapi import build_document
from chat_service.schema import Role
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, message, unique
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

    def path(self, address: str) -> str:
        """The path of an address, with what stands on this stage."""
        names = {
            "session_id": self.session_id,
            "message_id": self.message_id,
            "inbox_key": self.workspace.inbox_key,
            "code": "not_found",
            "name": "pages.css",
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
    "POST /v1/realtime/tickets": lambda stage: {"device_id": "tab-1"},
    "POST /v1/inboxes/{inbox_key}/customers": lambda stage: {"profile": {"name": "Eve"}},
    "POST /v1/sessions": lambda stage: {
        "client_session_id": unique(),
        "customer_id": stage.customer.id,
        "initial_message": message(),
    },
    "PATCH /v1/sessions/{session_id}": lambda stage: {"subject": "Late order"},
    "PUT /v1/sessions/{session_id}/read-state": lambda stage: {"read_seq": 1},
    "POST /v1/sessions/{session_id}/typing": lambda stage: {"is_typing": True},
    "PATCH /v1/agents/me/availability": lambda stage: {"availability": "away"},
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
}


async def build_stage(workspace: Workspace) -> Stage:
    """One of everything: the session is the customer's, and so is its message."""
    customer = await workspace.customer()
    begun = await customer.start()
    return Stage(
        workspace=workspace,
        customer=customer,
        agent=await workspace.agent(Role.OWNER),
        key=await workspace.key(),
        session_id=begun["session"]["id"],
        message_id=begun["message"]["id"],
    )


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
    """Somebody on the stage whom the address serves; the author, where only he may."""
    who = who_of(address)
    if "{message_id}" in address or Who.PUBLIC in who:
        return "customer"
    kinds = {"key": Who.KEY, "agent": Who.AGENT, "customer": Who.CUSTOMER}
    return next(name for name, kind in kinds.items() if kind in who)
