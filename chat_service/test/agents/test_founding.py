"""Workspaces made over HTTP, by the installation's own token and nobody else's."""

from datetime import timedelta

import attrs
import httpx2
import pytest
from sqlalchemy import select

from chat_service.app import Service
from chat_service.model import Agent, OneTimeLink
from chat_service.schema import AgentStatus, LinkPurpose, Role, utc_now
from chat_service.test.audit import acts_of
from chat_service.test.browsers import another_installation
from chat_service.test.builders import Json, Person, Workspace, unique, writing
from chat_service.test.conftest import PLATFORM_TOKEN
from chat_service.tokens import hash_secret, parse_opaque

PATH = "/v1/workspaces"


def body(**fields: str) -> Json:
    """A good one, but for these."""
    named = {"slug": f"w-{unique()}", "name": "Example Shop"}
    return named | {"owner_email": "Eve@Example.org", "owner_name": "Eve"} | fields


@pytest.fixture
def platform(client: httpx2.AsyncClient) -> Person:
    """Whoever runs the installation."""
    return Person(client, PLATFORM_TOKEN, "")


@pytest.mark.asvs("6.3.2", "6.4.1")
async def test_a_workspace_has_an_owner_who_is_invited(platform: Person, service: Service) -> None:
    given = body()
    response = await platform.post(PATH, given)
    assert response.status_code == 201
    founded = response.json()
    workspace, owner = founded["workspace"], founded["owner"]
    assert (workspace["slug"], workspace["name"]) == (given["slug"], "Example Shop")
    assert (owner["email"], owner["display_name"], owner["role"]) == (
        "eve@example.org",
        "Eve",
        "owner",
    )
    link = parse_opaque(founded["link"]["token"])
    assert (link.prefix, str(link.workspace_id)) == ("il", workspace["id"])
    assert len(bytes.fromhex(link.secret)) == 32
    async with writing(service) as db:
        (stored,) = await db.scalars(select(OneTimeLink).where(OneTimeLink.id == link.id))
        (agent,) = await db.scalars(select(Agent).where(Agent.workspace_id == link.workspace_id))
    assert (agent.status, agent.role, agent.password_hash) == (
        AgentStatus.INVITED,
        Role.OWNER,
        None,
    )
    assert (stored.agent_id, stored.purpose) == (agent.id, LinkPurpose.INVITATION)
    assert stored.secret_hash == hash_secret(link.secret)
    assert abs(stored.expires_at - utc_now() - timedelta(days=7)) < timedelta(minutes=5)
    acts = await acts_of(service, link.workspace_id)
    assert [(act.action, act.target_id) for act in acts] == [
        ("workspace.created", workspace["id"]),
        ("agent.invited", owner["id"]),
    ]
    assert {act.actor_type for act in acts} == {"system"}


@pytest.mark.asvs("4.1.3", "14.2.1")
async def test_a_link_is_made_from_the_configuration_alone(workspace: Workspace) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    headers = {"Authorization": f"Bearer {PLATFORM_TOKEN}", **forged}
    here = await workspace.client.post(PATH, json=body(), headers=headers)
    assert here.json()["link"]["url"] is None
    public = "https://chat.example.org"
    async with another_installation(workspace.service, "http://test", public) as client:
        there = (await client.post(PATH, json=body(), headers=headers)).json()["link"]
    assert there["url"] == f"{public}/console/link#{there['token']}"


async def test_a_slug_is_taken_once(platform: Person, workspace: Workspace) -> None:
    response = await platform.post(PATH, body(slug=workspace.slug))
    assert (response.status_code, response.json()["code"]) == (409, "slug_taken")


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "a.b", "ä", "x" * 64])
async def test_a_slug_is_like_the_name_of_a_host(platform: Person, slug: str) -> None:
    response = await platform.post(PATH, body(slug=slug))
    assert response.status_code == 422
    assert [item["pointer"] for item in response.json()["errors"]] == ["/slug"]


@pytest.mark.parametrize(
    "token", ["", PLATFORM_TOKEN[:-1], PLATFORM_TOKEN + "0", "x" * 32, "ä" * 9]
)
@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_another_token_makes_nothing(client: httpx2.AsyncClient, token: str) -> None:
    given = body()
    headers = {b"Authorization": f"Bearer {token}".encode()}
    refused = await client.post(PATH, json=given, headers=headers)
    assert refused.status_code == 401
    nonsense = await client.post(PATH, content=b"{", headers=headers)
    assert nonsense.status_code == 401
    again = await Person(client, PLATFORM_TOKEN, "").post(PATH, given)
    assert again.status_code == 201


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_without_a_token_there_is_no_such_address(service: Service) -> None:
    auth = attrs.evolve(service.config.auth, platform_token=None)
    async with another_installation(service, "http://test", auth=auth) as client:
        for token in (PLATFORM_TOKEN, ""):
            response = await Person(client, token, "").post(PATH, body())
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_the_token_opens_nothing_else(platform: Person) -> None:
    for path in ("/v1/workspace", "/v1/sessions", "/v1/api-keys", "/metrics"):
        assert (await platform.get(path)).status_code == 401
