"""An id of another workspace is worth no more in a body or a filter than one that does not exist.

Seen elsewhere: a bot passed a foreign id and wrote into another account.
"""

from uuid import UUID

import pytest

from chat_service.app import Service
from chat_service.test.addresses import BODIES, Stage, build_stage
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.fields import changed, id_fields
from chat_service.test.snapshot import rows_of

MISSING = "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"
WITH_IDS = [address for address in BODIES if id_fields(address)]


@pytest.fixture
async def elsewhere(workspace: Workspace, service: Service) -> Stage:
    """The same in another workspace."""
    return await build_stage(await build_workspace(service, workspace.client))


def ids_of(stage: Stage) -> list[str]:
    """Everything on a stage that has an id."""
    people = [stage.customer.id, stage.agent.id, str(UUID(stage.key.id))]
    inside = [stage.session_id, stage.message_id, str(stage.workspace.inbox.id)]
    return [*people, *inside, stage.role_id, stage.team_id, str(stage.workspace.id)]


def test_every_kind_of_id_is_tried() -> None:
    fields = {field.place[-2:] for address in WITH_IDS for field in id_fields(address)}
    assert fields == {
        ("customer_id",),
        ("role_id",),
        ("reply_to_id",),
        ("initial_message", "reply_to_id"),
        ("assignee", "id"),
        ("expected_assignee", "id"),
        ("team_id",),
    }


@pytest.mark.parametrize("address", WITH_IDS)
@pytest.mark.asvs("8.2.2", "8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_foreign_id_is_like_one_that_does_not_exist(
    stage: Stage, elsewhere: Stage, address: str
) -> None:
    before = await rows_of(stage.workspace), await rows_of(elsewhere.workspace)
    for field in id_fields(address):
        told = set()
        for value in (*ids_of(elsewhere), MISSING):
            response = await stage.call(address, json=changed(stage, address, field, value))
            problem = response.json()
            told.add((response.status_code, problem["code"], str(problem["errors"])))
        assert len(told) == 1, field.place
        assert told.pop()[0] in (404, 409, 422)
    assert (await rows_of(stage.workspace), await rows_of(elsewhere.workspace)) == before


@pytest.mark.parametrize("name", ["inbox_id", "customer_id", "assignee_id", "team_id"])
@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_foreign_id_filters_everything_out(
    stage: Stage, elsewhere: Stage, name: str
) -> None:
    await elsewhere.call("POST /v1/sessions/{session_id}/claim")
    for value in (*ids_of(elsewhere), MISSING):
        response = await stage.key.get("/v1/sessions", params={name: value})
        assert (response.status_code, response.json()["data"]) == (200, []), value


async def test_a_foreign_inbox_key_is_no_way_in(stage: Stage, elsewhere: Stage) -> None:
    here, there = stage.workspace, elsewhere.workspace
    mixed = [
        f"ib_{here.id.hex}_{there.inbox.id.hex}",
        f"ib_{there.id.hex}_{here.inbox.id.hex}",
        here.inbox_key.upper(),
        f"{here.inbox_key}_",
        here.inbox_key.replace("ib_", "sk_"),
    ]
    for key in mixed:
        response = await here.client.post(f"/v1/inboxes/{key}/customers", json={})
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), key
