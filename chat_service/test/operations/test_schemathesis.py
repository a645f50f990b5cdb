"""What the API's document says and what the service does are the same, for each kind of caller."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import attrs
import httpx2
import pytest
import schemathesis
from schemathesis.checks import CheckFunction
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.modes import GenerationMode
from schemathesis.python import asgi

from chat_service.app import Service, create_app
from chat_service.model import migrations
from chat_service.problems import PROBLEM
from chat_service.test.addresses import Stage, api_document, build_stage, who_of
from chat_service.test.builders import Person, Workspace, build_workspace
from chat_service.test.conftest import config_of
from chat_service.web import Who

MEANINGS: Final = {
    "ahead",  # of the session's last number
    "client_message_id_missing",
    "client_message_id_reused",
    "client_session_id_missing",
    "client_session_id_reused",
    "cursor_filter_mismatch",
    "cursor_invalid",
    "invalid_grant",
    "invalid_identity",
    "invalid_parameter",  # two that exclude each other
    "missing",  # whose session a member of staff starts
    "past",  # the end of a block
    "private_key",
    "one_of_two",  # a key has either scopes or a role
    "reserved",
    "too_common",
    "unknown_role",
    "too_long",  # in bytes
    "too_many",
    "unknown_agent",
    "unknown_message",
    "unknown_team",
    "unusable_key",
}
"""What a body or a query of the right form may still be refused for."""
Case = schemathesis.Case[Any]
Test = Callable[..., None]
# The service runs beside the strategies, which take its use of `random` for their own.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module inside strategies"
    ":hypothesis.errors.HypothesisDeprecationWarning"
)


class Door:
    """The application as the tester knows it: whichever service is under test at the moment."""

    service: Service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.service(scope, receive, send)


@dataclass
class Target:
    """Who calls the service under test, and what stands in its database."""

    headers: dict[str, str]
    places: dict[str, str]
    """What stands in the paths, as a session and a message of it."""


@pytest.fixture(scope="module")
async def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    """Made in one event loop and used in another, so the service of each is its own."""
    backend, caller = request.param.split("-")
    folder = tmp_path_factory.mktemp("target")
    url = f"sqlite:///{folder / 'chat.db'}"
    if backend == "postgres":
        url = request.getfixturevalue("fresh_database")("schemathesis")
    config = config_of(url, folder)
    # Nobody listens to its broker, which waits at the end for a loop that is not its own.
    config = attrs.evolve(config, broker=attrs.evolve(config.broker, answer_seconds=0.1))
    async with running(create_app(config)) as workspace:
        stage = await build_stage(workspace)
    DOOR.service = create_app(config)
    yield target_of(stage, caller)
    asgi.shutdown_lifespans()


def target_of(stage: Stage, caller: str) -> Target:
    """What a caller knows."""
    person: Person = getattr(stage, caller)
    places = {
        "session_id": stage.session_id,
        "message_id": stage.message_id,
        "role_id": stage.role_id,
        "team_id": stage.team_id,
        "inbox_key": stage.workspace.inbox_key,
        "inbox_id": str(stage.workspace.inbox.id),
        "customer_id": stage.customer.id,
        "agent_id": stage.colleague_id,
    }
    return Target({"Authorization": f"Bearer {person.token}"}, places)


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


def names_a_documented_code(_: Any, response: Response, case: Case) -> None:
    """Each problem is one of those that its operation lists."""
    if response.status_code < 400 or case.method.lower() != case.operation.method:
        return
    operation = api_document()["paths"][case.operation.path][case.operation.method]
    media = operation["responses"][str(response.status_code)]["content"][PROBLEM]
    assert response.json()["code"] in media["examples"]


def refuses_no_good_form(_: Any, response: Response, case: Case) -> None:
    """What has the form the document asks for is refused for its meaning only."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code in (400, 422):
        problem = response.json()
        found = {item["code"] for item in problem["errors"]} or {problem["code"]}
        assert found <= MEANINGS, problem


schema = schemathesis.openapi.from_dict(
    api_document(),
    config=SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "base-url": "http://testserver",
            "generation": {"max-examples": 3, "deterministic": True},
            "suppress-health-check": ["all"],
            # What is refused for its meaning has a check of its own here.
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }
    ),
)
DOOR: Final = Door()
schema.app = DOOR


def serving(who: Who) -> Callable[[Test], Test]:
    """The operations for a kind of caller; what others are refused is in the matrix of rights."""

    def serves(context: Any) -> bool:
        operation = context.operation
        return bool(who & who_of(f"{operation.method.upper()} {operation.path}"))

    served = schema.exclude(path_regex="sign-out").include(func=serves)
    return cast(Callable[[Test], Test], served.parametrize())


def called_as(target: str) -> pytest.MarkDecorator:
    """On which database, and by whom."""
    return pytest.mark.parametrize("target", [target], indirect=True, scope="module")


def is_answered_as_documented(case: Case, target: Target) -> None:
    """One case, with what stands in the database."""
    if case.meta and not case.meta.is_negative_at(ParameterLocation.PATH):
        known = {
            name: target.places.get(name, value) for name, value in case.path_parameters.items()
        }
        case.path_parameters = known
    checks: list[CheckFunction] = [names_a_documented_code, refuses_no_good_form]
    case.call_and_validate(headers=target.headers, additional_checks=checks)


@serving(Who.CUSTOMER)
@called_as("sqlite-customer")
def test_customers_are_answered_as_the_document_says(case: Case, target: Target) -> None:
    is_answered_as_documented(case, target)


@serving(Who.AGENT)
@called_as("sqlite-agent")
def test_agents_are_answered_as_the_document_says(case: Case, target: Target) -> None:
    is_answered_as_documented(case, target)


@serving(Who.KEY)
@called_as("postgres-key")
def test_keys_are_answered_as_the_document_says(case: Case, target: Target) -> None:
    is_answered_as_documented(case, target)


@serving(Who.PUBLIC | Who.PLATFORM)
@called_as("sqlite-platform")
def test_whoever_has_no_account_is_answered_as_the_document_says(
    case: Case, target: Target
) -> None:
    is_answered_as_documented(case, target)
