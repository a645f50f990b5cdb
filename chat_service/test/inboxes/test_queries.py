"""Inboxes and their public keys."""

from chat_service.inboxes.queries import inbox_key
from chat_service.test.builders import Workspace


async def test_a_key_names_workspace_and_inbox(workspace: Workspace) -> None:
    expected = f"ib_{workspace.id.hex}_{workspace.inbox.id.hex}"
    assert inbox_key(workspace.inbox) == workspace.inbox_key == expected


async def test_a_key_may_be_written_with_the_dashes_of_its_ids(workspace: Workspace) -> None:
    key = f"ib_{workspace.id}_{workspace.inbox.id}"
    response = await workspace.client.post(f"/v1/inboxes/{key}/customers", json={})
    assert response.status_code == 201
