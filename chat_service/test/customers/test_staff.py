"""What staff see and change of customers, and who may chat until when."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from chat_service.model import AuditEntry
from chat_service.schema import Permission, utc_now
from chat_service.test.builders import Json, Person, Workspace, writing
from chat_service.test.customers.calls import refresh
from chat_service.test.customers.site import DEVICE, Site, identified, show, site_of
from chat_service.test.fakes import TurningClock
from chat_service.test.sessions.calls import waiting
from chat_service.transport import rfc3339

OWN = {
    "object",
    "id",
    "workspace_id",
    "inbox_id",
    "name",
    "email",
    "email_verified",
    "verified",
    "created_at",
}


@pytest.fixture
async def site(workspace: Workspace) -> Site:
    """The host site of the inbox."""
    return await site_of(workspace)


@pytest.fixture
async def key(workspace: Workspace) -> Person:
    """A program that may do everything."""
    return await workspace.key(days=9)


async def told(key: Person, *types: str) -> list[Json]:
    """What the log of the workspace tells of these types."""
    found = await key.get("/v1/events", params={"types": ",".join(types), "limit": 500})
    data: list[Json] = found.json()["data"]
    return data


async def acts(workspace: Workspace) -> list[tuple[str, list[str]]]:
    """What was audited of customers, and the fields it changed."""
    query = select(AuditEntry).where(
        AuditEntry.workspace_id == workspace.id, AuditEntry.target_type == "customer"
    )
    async with writing(workspace.service) as db:
        return [(one.action, one.fields) for one in await db.scalars(query.order_by(AuditEntry.id))]


@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
async def test_a_customer_sees_of_himself_what_is_his(site: Site, key: Person) -> None:
    ada = await identified(site, name="Ada")
    me = (await ada.get("/v1/customers/me")).json()["customer"]
    assert set(me) == OWN
    assert me == ada.details["customer"]
    seen = (await key.get(f"/v1/customers/{ada.id}")).json()["customer"]
    assert seen == me | {"external_id": "user-7", "blocked_at": None, "blocked_until": None}


@pytest.mark.asvs("16.2.1")
async def test_what_changes_is_told_and_audited_once(workspace: Workspace, key: Person) -> None:
    ada = await workspace.customer("Ada")
    path = f"/v1/customers/{ada.id}"
    for _ in range(2):
        body = {"name": None, "email": "ada@example.org"}
        changed = (await key.call("PATCH", path, json=body)).json()["customer"]
        assert (changed["name"], changed["email"], changed["email_verified"]) == (
            None,
            "ada@example.org",
            False,
        )
    await key.call("PATCH", path, json={})
    await ada.call("PATCH", "/v1/customers/me", json={"name": "Ada"})
    events = await told(key, "customer.updated")
    assert [(event["data"]["changed"], event["actor"]["type"]) for event in events] == [
        (["email", "name"], "bot"),
        (["name"], "customer"),
    ]
    assert await acts(workspace) == [("customer.updated", ["email", "name"])]


async def test_a_new_name_stands_at_what_was_said_before(workspace: Workspace) -> None:
    ada = await workspace.customer("Ada")
    session_id = await waiting(ada)
    await ada.call("PATCH", "/v1/customers/me", json={"name": "Lady Ada"})
    assert (await ada.messages(session_id))[0]["author"]["display_name"] == "Lady Ada"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 129}, "/name"),
        ({"email": "ada"}, "/email"),
        ({"blocked_at": None}, "/blocked_at"),
        ({"external_id": "admin"}, "/external_id"),
        ({"merged_into": None}, "/merged_into"),
    ],
)
@pytest.mark.asvs("2.2.1", "15.3.3")
@pytest.mark.api_top10("API3")
async def test_refuses_what_is_not_to_be_changed(
    workspace: Workspace, key: Person, body: Json, pointer: str
) -> None:
    ada = await workspace.customer()
    for person, path in ((key, f"/v1/customers/{ada.id}"), (ada, "/v1/customers/me")):
        refused = await person.call("PATCH", path, json=body)
        assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]


@pytest.mark.asvs("8.2.1", "8.3.1")
@pytest.mark.api_top10("API5")
async def test_permissions_are_of_their_own(workspace: Workspace) -> None:
    ada = await workspace.customer()
    path = f"/v1/customers/{ada.id}"
    asked = {
        Permission.CUSTOMERS_READ: ("GET", path),
        Permission.CUSTOMERS_WRITE: ("PATCH", path),
        Permission.CUSTOMERS_BLOCK: ("POST", f"{path}/unblock"),
    }
    for given in asked:
        person = await workspace.key([given])
        answers = {}
        for needed, (method, address) in asked.items():
            body: Json | None = None if method == "GET" else {}
            answers[needed] = (await person.call(method, address, json=body)).status_code
        assert answers == {needed: 200 if needed is given else 403 for needed in asked}


@pytest.mark.asvs("7.4.2")
@pytest.mark.api_top10("API2")
async def test_a_blocked_customer_can_do_nothing_until_the_date(
    site: Site, workspace: Workspace, key: Person, clock: TurningClock
) -> None:
    ada = await identified(site)
    session_id = await waiting(ada)
    until = rfc3339(clock() + timedelta(days=1))
    blocked = await key.post(f"/v1/customers/{ada.id}/block", {"until": until})
    assert blocked.json()["customer"]["blocked_until"] == until
    assert (await ada.get("/v1/sessions")).status_code == 401
    renewing = {"refresh_token": ada.details["refresh_token"], "device_id": DEVICE}
    for answer in (
        await ada.client.post("/v1/auth/token", json=renewing),
        await show(workspace, site.token()),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "customer_blocked")
        assert answer.json()["until"] == until
    assert (await key.send(session_id)).status_code == 201
    clock.turn(days=1, seconds=1)
    assert (await ada.client.post("/v1/auth/token", json=renewing)).json()[
        "code"
    ] == "invalid_grant"
    began = int(clock().timestamp())
    again = await identified(site, iat=began, exp=began + 60)
    assert (await again.send(session_id)).status_code == 201
    seen = (await key.get(f"/v1/customers/{ada.id}")).json()["customer"]
    assert (seen["blocked_at"], seen["blocked_until"]) == (None, None)


async def test_an_unblocked_customer_begins_anew(
    site: Site, workspace: Workspace, key: Person
) -> None:
    ada = await identified(site)
    path = f"/v1/customers/{ada.id}"
    for _ in range(2):
        assert (await key.post(f"{path}/block")).json()["customer"]["blocked_until"] is None
    assert (await show(workspace, site.token())).json()["until"] is None
    for _ in range(2):
        assert (await key.post(f"{path}/unblock")).json()["customer"]["blocked_at"] is None
    assert (await ada.get("/v1/sessions")).status_code == 401
    assert (await identified(site)).id == ada.id
    kinds = ("customer.blocked", "customer.unblocked", "token.revoked")
    assert [event["type"] for event in await told(key, *kinds)] == [
        "customer.blocked",
        "token.revoked",
        "customer.unblocked",
    ]
    assert [act for act, _ in await acts(workspace)] == [
        "customer.identified",
        "customer.blocked",
        "customer.unblocked",
        "customer.identified",
    ]


async def test_a_block_may_be_given_another_end(workspace: Workspace, key: Person) -> None:
    ada = await workspace.customer()
    until = rfc3339(utc_now() + timedelta(days=1))
    path = f"/v1/customers/{ada.id}/block"
    for body in ({"until": until}, {}, {"until": until}):
        found = (await key.post(path, body)).json()["customer"]
        assert found["blocked_until"] == body.get("until")
    assert (await refresh(ada)).json()["until"] == until


@pytest.mark.parametrize(
    ("until", "code"),
    [
        ("2020-01-01T00:00:00Z", "past"),
        ("2030-01-01T00:00:00", "wrong_format"),
        ("9999-12-31T23:59:59-14:00", "wrong_format"),
        ("tomorrow", "wrong_format"),
        (1_900_000_000, "wrong_type"),
    ],
)
@pytest.mark.asvs("2.2.1")
async def test_a_block_ends_at_a_time_that_is_to_come(
    workspace: Workspace, key: Person, until: object, code: str
) -> None:
    ada = await workspace.customer()
    refused = await key.post(f"/v1/customers/{ada.id}/block", {"until": until})
    assert refused.status_code == 422
    assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [("/until", code)]
    assert (await ada.get("/v1/sessions")).status_code == 200


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_blocked_visitor_brings_nothing_into_an_identity_and_may_come_as_somebody_new(
    site: Site, workspace: Workspace, key: Person
) -> None:
    visitor = await workspace.customer()
    session_id = await waiting(visitor)
    await key.post(f"/v1/customers/{visitor.id}/block")
    ada = await identified(site, by=visitor)
    assert ada.id != visitor.id
    assert (await ada.get(f"/v1/sessions/{session_id}")).status_code == 404
    assert (await (await workspace.customer()).get("/v1/sessions")).status_code == 200


async def test_a_visitor_who_turns_out_to_be_blocked_keeps_what_is_his(
    site: Site, workspace: Workspace, key: Person
) -> None:
    ada, visitor = await identified(site), await workspace.customer()
    session_id = await waiting(visitor)
    await key.post(f"/v1/customers/{ada.id}/block")
    assert (await show(workspace, site.token(), by=visitor)).status_code == 403
    assert (await visitor.get(f"/v1/sessions/{session_id}")).status_code == 200


@pytest.mark.asvs("15.4.2")
@pytest.mark.api_top10("API2")
async def test_who_identifies_himself_while_he_is_blocked_is_in_or_out_and_never_both(
    site: Site, workspace: Workspace, key: Person
) -> None:
    ada = await identified(site)
    showing = [show(workspace, site.token(), device_id=f"d{number}") for number in range(6)]
    answers = await asyncio.gather(
        *showing[:3], key.post(f"/v1/customers/{ada.id}/block"), *showing[3:]
    )
    for answer in answers:
        if answer.status_code == 201:
            token = answer.json()["access_token"]
            assert (await Person(ada.client, token, "").get("/v1/sessions")).status_code == 401
    assert {answer.status_code for answer in answers} <= {200, 201, 403}
