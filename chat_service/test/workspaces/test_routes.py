"""The caller's own workspace: read by everybody in it, renamed by who manages its settings."""

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Workspace


async def test_everybody_sees_the_own_workspace(workspace: Workspace) -> None:
    for person in (await workspace.agent(), await workspace.key([])):
        shown = (await person.get("/v1/workspace")).json()["workspace"]
        assert shown.pop("created_at").endswith("Z")
        assert shown == {
            "object": "workspace",
            "id": str(workspace.id),
            "slug": workspace.slug,
            "name": "Test",
        }


async def test_an_owner_gives_it_another_name(workspace: Workspace) -> None:
    owner = await workspace.agent(Role.OWNER)
    changed = await owner.call("PATCH", "/v1/workspace", json={"name": "Example Shop"})
    assert (changed.status_code, changed.json()["workspace"]["name"]) == (200, "Example Shop")
    left = await owner.call("PATCH", "/v1/workspace", json={"name": None})
    assert left.json() == changed.json() == (await owner.get("/v1/workspace")).json()


@pytest.mark.parametrize("change", [{"slug": "other"}, {"name": ""}, {"name": "x" * 129}])
@pytest.mark.asvs("2.2.1", "15.3.3")
async def test_a_slug_stays_and_a_name_has_a_length(
    workspace: Workspace, change: dict[str, str]
) -> None:
    owner = await workspace.agent(Role.OWNER)
    refused = await owner.call("PATCH", "/v1/workspace", json=change)
    assert refused.status_code == 422
    assert [item["pointer"] for item in refused.json()["errors"]] == [f"/{next(iter(change))}"]
