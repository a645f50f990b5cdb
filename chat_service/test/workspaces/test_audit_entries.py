"""Who did what, page by page: newest first, filtered, and only the own workspace's."""

from typing import Any
from uuid import UUID

import pytest

from chat_service.app import Service
from chat_service.schema import Permission, Role
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, build_workspace
from chat_service.test.conformance.sqllog import watching

PATH = "/v1/audit-entries"
NAMES = ["A", "B", "C", "D", "E"]


async def rename_often(workspace: Workspace) -> Person:
    """An owner who has left five entries."""
    owner = await workspace.agent(Role.OWNER)
    for name in NAMES:
        assert (await owner.call("PATCH", "/v1/workspace", json={"name": name})).is_success
    return owner


async def read(person: Person, **params: Any) -> Json:
    """One page."""
    response = await person.get(PATH, params=params)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


@pytest.mark.asvs("16.2.1", "16.2.2")
async def test_an_entry_says_who_did_what_and_from_where(workspace: Workspace) -> None:
    owner = await workspace.agent(Role.OWNER)
    changed = await owner.call("PATCH", "/v1/workspace", json={"name": "Example Shop"})
    entry = (await read(owner))["data"][0]
    again = {"email": owner.details["agent"]["email"], "password": PASSWORD}
    await workspace.client.post("/v1/auth/sign-in", json={**again, "workspace": workspace.slug})
    login = (await owner.get("/v1/agents/me/logins")).json()["data"][0]
    assert entry.pop("id") and entry.pop("at").endswith("Z")
    assert entry == {
        "object": "audit_entry",
        "workspace_id": str(workspace.id),
        "actor": {"type": "agent", "id": owner.id},
        "token_id": token_id(owner),
        "action": "workspace.updated",
        "outcome": "done",
        "target": {"type": "workspace", "id": str(workspace.id)},
        "fields": ["name"],
        "address": login["address"],
        "request_id": changed.headers["Request-Id"],
    }


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_pages_of_any_size_hold_every_entry_once_newest_first(
    workspace: Workspace, limit: int
) -> None:
    owner = await rename_often(workspace)
    asked: Json = {"limit": limit, "action": "workspace.updated"}
    pages = [await read(owner, **asked)]
    while (cursor := pages[-1]["page"]["next_cursor"]) is not None:
        pages.append(await read(owner, **asked, cursor=cursor))
    ids = [entry["id"] for page in pages for entry in page["data"]]
    times = [entry["at"] for page in pages for entry in page["data"]]
    assert (len(ids), len(set(ids)), times) == (5, 5, sorted(times, reverse=True))
    back = [pages[-1]]
    while (cursor := back[0]["page"]["prev_cursor"]) is not None:
        back.insert(0, await read(owner, **asked, cursor=cursor))
    assert [page["data"] for page in back] == [page["data"] for page in pages]


async def test_filters_are_joined(workspace: Workspace) -> None:
    owner, other = await rename_often(workspace), await workspace.agent(Role.ADMIN)
    made = (await other.post("/v1/inboxes", {"name": "Shop"})).json()["inbox"]
    found = {
        "action": ("inbox.created,api_key.created", 2),
        "actor_id": (other.id, 1),
        "target_type": ("workspace", 5),
        "target_id": (made["id"], 1),
    }
    for name, (value, count) in found.items():
        data = (await read(owner, **{name: value}))["data"]
        assert len(data) == count, name
    data = (await read(owner, action="workspace.updated"))["data"]
    newest, oldest = data[0]["at"], data[-1]["at"]
    for params in ({"after": oldest}, {"before": newest}, {"after": oldest, "before": newest}):
        within = (await read(owner, action="workspace.updated", **params))["data"]
        assert len(within) <= 5 and all(entry in data for entry in within)
    assert (await read(owner, before="1970-01-01T00:00:00Z"))["data"] == []
    assert (await read(owner, after="9999-01-01T00:00:00Z"))["data"] == []
    assert (await read(owner, target_type="workspace", actor_id=other.id))["data"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"action": "agent.exploded"}, "invalid_filter"),
        ({"actor_id": "me"}, "invalid_filter"),
        ({"after": "yesterday"}, "invalid_filter"),
        ({"before": "0001-01-01T00:00:00+14:00"}, "invalid_filter"),
        ({"target_type": "x" * 33}, "invalid_filter"),
        ({"limit": "0"}, "invalid_parameter"),
        ({"cursor": "x"}, "cursor_invalid"),
        ({"sort": "at"}, "unknown_parameter"),
    ],
)
@pytest.mark.asvs("2.2.1")
async def test_refuses_what_it_does_not_understand(
    workspace: Workspace, params: Json, code: str
) -> None:
    owner = await workspace.agent(Role.OWNER)
    response = await owner.get(PATH, params=params)
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_a_cursor_belongs_to_its_filters(workspace: Workspace) -> None:
    owner = await rename_often(workspace)
    cursor = (await read(owner, limit=1))["page"]["next_cursor"]
    response = await owner.get(PATH, params={"cursor": cursor, "action": "agent.invited"})
    assert (response.status_code, response.json()["code"]) == (400, "cursor_filter_mismatch")


@pytest.mark.asvs("8.4.1", "16.4.2")
@pytest.mark.api_top10("API1")
async def test_nobody_reads_the_log_of_another_workspace(
    workspace: Workspace, service: Service
) -> None:
    await rename_often(workspace)
    elsewhere = await build_workspace(service, workspace.client)
    stranger = await elsewhere.key([Permission.AUDIT_READ])
    assert {entry["workspace_id"] for entry in (await read(stranger))["data"]} == {
        str(elsewhere.id)
    }


@pytest.mark.api_top10("API4")
async def test_a_page_is_one_query_with_a_bound(workspace: Workspace) -> None:
    owner = await rename_often(workspace)
    with watching(workspace.service.database.engine) as sql:
        assert len((await read(owner, limit=1_000))["data"]) > 5
    (asked,) = [each for each in sql.statements if "FROM audit_entries" in each]
    assert "LIMIT" in asked


def token_id(person: Person) -> str:
    """The id of the token a person calls with."""
    return str(UUID(person.token.split("_")[2]))
