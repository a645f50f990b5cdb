"""Inboxes over HTTP: who sees and changes them, and what another list of origins means at once."""

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from chat_service.model import Inbox
from chat_service.schema import InboxId, Permission, Role, new_id, utc_now
from chat_service.test.builders import ORIGIN, Json, Person, Workspace, unique, writing
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address
from chat_service.workspaces.bounds import AT_MOST

PATH = "/v1/inboxes"
SHOWN = {
    "name": "Website",
    "allowed_origins": [ORIGIN],
    "reopen_seconds": 86_400,
    "reply_claims": True,
    "assignee_only": False,
}


@pytest.fixture
async def owner(workspace: Workspace) -> Person:
    """Who may change inboxes."""
    return await workspace.agent(Role.OWNER)


async def changed(owner: Person, workspace: Workspace, **fields: Any) -> Json:
    """The workspace's inbox after a change."""
    response = await owner.call("PATCH", f"{PATH}/{workspace.inbox.id}", json=fields)
    assert response.status_code == 200, response.text
    inbox: Json = response.json()["inbox"]
    return inbox


async def events(workspace: Workspace) -> list[Json]:
    """What the log tells of inboxes."""
    key = await workspace.key()
    found = await key.get("/v1/events", params={"types": "inbox.updated"})
    told: list[Json] = found.json()["data"]
    return told


async def test_every_agent_sees_the_inboxes(workspace: Workspace) -> None:
    viewer = await workspace.agent(Role.VIEWER)
    (shown,) = (await viewer.get(PATH)).json()["data"]
    assert shown == (await viewer.get(f"{PATH}/{workspace.inbox.id}")).json()["inbox"]
    assert {name: shown[name] for name in SHOWN} == SHOWN
    assert (shown["object"], shown["id"], shown["key"]) == (
        "inbox",
        str(workspace.inbox.id),
        workspace.inbox_key,
    )


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_a_key_sees_them_that_may_manage_them(workspace: Workspace) -> None:
    manager = await workspace.key([Permission.INBOXES_MANAGE])
    other = await workspace.key(set(Permission) - {Permission.INBOXES_MANAGE})
    for path in (PATH, f"{PATH}/{workspace.inbox.id}"):
        answers = [(await key.get(path)).status_code for key in (manager, other)]
        assert answers == [200, 403]


async def test_a_new_inbox_is_where_customers_begin(workspace: Workspace, owner: Person) -> None:
    rules = {"reopen_seconds": 60, "reply_claims": False, "assignee_only": True}
    made = await owner.post(PATH, {"name": "Shop", **rules})
    inbox = made.json()["inbox"]
    assert made.status_code == 201
    assert inbox == (await owner.get(made.headers["Location"])).json()["inbox"]
    assert {name: inbox[name] for name in rules} == rules and inbox["allowed_origins"] == []
    begun = await workspace.client.post(f"{PATH}/{inbox['key']}/customers", json={})
    assert begun.json()["customer"]["inbox_id"] == inbox["id"]
    assert [event["data"]["inbox_id"] for event in await events(workspace)][-1] == inbox["id"]


async def test_what_is_left_out_or_null_stays(workspace: Workspace, owner: Person) -> None:
    inbox = await changed(owner, workspace, name="Shop", reply_claims=None)
    assert {name: inbox[name] for name in SHOWN} == SHOWN | {"name": "Shop"}
    assert await changed(owner, workspace) == inbox


async def test_a_change_is_told_once_and_no_change_never(
    workspace: Workspace, owner: Person
) -> None:
    before = len(await events(workspace))
    await changed(owner, workspace, name="Shop")
    await changed(owner, workspace, name="Shop", allowed_origins=[ORIGIN])
    (told,) = (await events(workspace))[before:]
    assert (told["data"], told["actor"]) == (
        {"inbox_id": str(workspace.inbox.id)},
        {"type": "agent", "id": owner.id},
    )


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "", "shop.example.org", f"{ORIGIN}/", f"{ORIGIN}/chat", "https://*.example.org"]
    + ["https://Shop.example.org", "wss://shop.example.org", f"{ORIGIN},{ORIGIN}", f"{ORIGIN}\n"],
)
@pytest.mark.asvs("2.2.1")
async def test_an_origin_is_exact(workspace: Workspace, owner: Person, origin: str) -> None:
    body = {"name": "Shop", "allowed_origins": [ORIGIN, origin]}
    path = f"{PATH}/{workspace.inbox.id}"
    for method, place in (("POST", PATH), ("PATCH", path)):
        refused = await owner.call(method, place, json=body)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/allowed_origins/1", "wrong_format")
    assert (await owner.get(path)).json()["inbox"]["name"] == "Website"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("reopen_seconds", -1),
        ("reopen_seconds", 31_536_001),
        ("reply_claims", "yes"),
        ("allowed_origins", [ORIGIN] * 101),
    ],
)
@pytest.mark.asvs("2.2.1")
async def test_refuses_rules_that_are_none(
    workspace: Workspace, owner: Person, field: str, value: Any
) -> None:
    body = {"name": "Shop", field: value}
    refused = await owner.call("PATCH", f"{PATH}/{workspace.inbox.id}", json=body)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"/{field}"]


@pytest.mark.asvs("3.5.1", "8.3.2")
async def test_other_origins_hold_at_once_over_rest(workspace: Workspace, owner: Person) -> None:
    here, there = f"https://{unique()}.example", f"https://{unique()}.example"
    begin = f"{PATH}/{workspace.inbox_key}/customers"
    await changed(owner, workspace, allowed_origins=[here])
    customer = await workspace.customer()
    for origin, other in ((here, there), (there, here)):
        await changed(owner, workspace, allowed_origins=[origin])
        good, bad = {"Origin": origin}, {"Origin": other}
        assert (await workspace.client.post(begin, json={}, headers=good)).status_code == 201
        assert (await workspace.client.post(begin, json={}, headers=bad)).status_code == 403
        assert (await customer.get("/v1/sessions", headers=good)).status_code == 200
        refused = await customer.get("/v1/sessions", headers=bad)
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.asvs("4.4.2", "8.3.2")
async def test_other_origins_hold_at_once_for_new_sockets(
    workspace: Workspace, owner: Person
) -> None:
    here = f"https://{unique()}.example"
    customer = await workspace.customer()
    async with served(workspace.service) as address:
        assert await opens(address, here) is False
        await changed(owner, workspace, allowed_origins=[here])
        async with address.socket(origin=here) as socket:
            assert (await socket.hello(customer.token))["op"] == "welcome"
        await changed(owner, workspace, allowed_origins=[])
        assert await opens(address, here) is False


async def opens(address: Address, origin: str) -> bool:
    """Whether a page of that origin may open a socket."""
    try:
        async with address.socket(origin=origin):
            return True
    except InvalidStatus as refused:
        assert refused.response.status_code == 403
        return False


async def test_a_workspace_has_a_thousand_inboxes_at_most(
    workspace: Workspace, owner: Person
) -> None:
    rows = [
        Inbox(workspace_id=workspace.id, id=InboxId(new_id()), name="Many", created_at=utc_now())
        for _ in range(AT_MOST - 1)
    ]
    for row in rows:
        row.allowed_origins, row.reopen_seconds = [], 0
        row.reply_claims, row.assignee_only = True, False
    async with writing(workspace.service) as db:
        db.add_all(rows)
    refused = await owner.post(PATH, {"name": "One more"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many")
    assert len((await owner.get(PATH)).json()["data"]) == AT_MOST
