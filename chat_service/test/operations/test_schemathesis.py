"""What the API's document says and what the service does are the same, for each kind of caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.modes import GenerationMode
from schemathesis.python import asgi
from typed_settings.types import Secret

from chat_service.app import Service, create_app
from chat_service.config import Auth, Config
from chat_service.model import migrations
from chat_service.operations.openapi import build_document
from chat_service.problems import PROBLEM
from chat_service.schema import Role
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.conftest import config_of

MEANINGS: Final = {
    "client_message_id_missing",
    "client_message_id_reused",
    "client_session_id_missing",
    "client_session_id_reused",
    "cursor_filter_mismatch",
    "cursor_invalid",
    "invalid_grant",
    "invalid_parameter",  # two that exclude each other
    "missing",  # whose session a member of staff starts
    "reserved",
    "too_long",  # in bytes
    "unknown_agent",
    "unknown_message",
}
"""What a body or a query of the right form may still be refused for."""
SECRET: Final = Secret("0" * 32)


class Door:
    """The application as the tester knows it: whichever service is under test at the moment."""

    service: Service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.service(scope, receive, send)


@dataclass
class Target:
    """Who calls the service under test, and what stands in its database."""

    tokens: dict[str, str]
    places: dict[str, str]
    """What stands in the paths: a session, a message of it, an inbox."""


@pytest.fixture(scope="module")
async def target(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    """Made in one event loop and used in another, so the service of each is its own."""
    folder = tmp_path_factory.mktemp("target")
    url = f"sqlite:///{folder / 'chat.db'}"
    if backend == "postgres":
        url = request.getfixturevalue("fresh_database")("schemathesis")
    config = config_of(url, folder)
    async with running(create_app(config)) as workspace:
        tokens, places = await people_of(workspace)
    DOOR.service = create_app(config)
    yield Target(tokens, places)
    asgi.shutdown_lifespans()


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Workspace]:
    """A workspace on a service that runs for as long as it is being made."""
    await migrations.upgrade(service.database.engine)
    transport = httpx2.ASGITransport(app=service)
    with service.database.bound():
        await service.quart.startup()
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield await build_workspace(service, client)
        await service.quart.shutdown()


async def people_of(workspace: Workspace) -> tuple[dict[str, str], dict[str, str]]:
    """Tokens of each kind, and a session that all of them may see."""
    customer, agent = await workspace.customer(), await workspace.agent(Role.OWNER)
    session = (await customer.start())["session"]
    sent = (await customer.send(session["id"])).json()["message"]
    key = await workspace.key()
    tokens = {"customer": customer.token, "agent": agent.token, "key": key.token, "nobody": ""}
    places = {
        "session_id": session["id"],
        "message_id": sent["id"],
        "inbox_key": workspace.inbox_key,
    }
    return tokens, places


def names_a_documented_code(_: Any, response: Any, case: schemathesis.Case) -> None:
    """Each problem is one of those that its operation lists."""
    if response.status_code < 400 or case.method.lower() != case.operation.method:
        return
    operation = DOCUMENT["paths"][case.operation.path][case.operation.method]
    media = operation["responses"][str(response.status_code)]["content"][PROBLEM]
    assert response.json()["code"] in media["examples"]


def refuses_no_good_form(_: Any, response: Any, case: schemathesis.Case) -> None:
    """What has the form the document asks for is refused for its meaning only."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code in (400, 422):
        problem = response.json()
        found = {item["code"] for item in problem["errors"]} or {problem["code"]}
        assert found <= MEANINGS, problem


DOCUMENT: Final = build_document(create_app(Config(auth=Auth(secret_key=SECRET))).quart)
schema = schemathesis.openapi.from_dict(
    DOCUMENT,
    config=SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "base-url": "http://testserver",
            "generation": {"max-examples": 12, "deterministic": True},
            "suppress-health-check": ["all"],
            # What is refused for its meaning has a check of its own here.
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }
    ),
)
DOOR: Final = Door()
schema.app = DOOR


@pytest.mark.parametrize("caller", ["customer", "agent", "key", "nobody"])
@schema.exclude(path_regex="sign-out").parametrize()
def test_answers_as_its_document_says(case: schemathesis.Case, caller: str, target: Target) -> None:
    if case.meta and not case.meta.is_negative_at(ParameterLocation.PATH) and caller != "nobody":
        case.path_parameters = {name: target.places[name] for name in case.path_parameters}
    token = target.tokens[caller]
    headers = {"Authorization": f"Bearer {token}"} if token else None
    case.call_and_validate(
        headers=headers, additional_checks=[names_a_documented_code, refuses_no_good_form]
    )
