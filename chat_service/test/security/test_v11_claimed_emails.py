"""An e-mail or an id that a visitor claims opens nothing, and is shown as what it is: claimed.

Seen elsewhere: identities signed over an e-mail, and a look-up of customers by e-mail without any
right to it.
"""

from typing import Any

import pytest

from chat_service.test.builders import Person, Workspace
from chat_service.test.customers.site import Site, identified, show, site_of
from chat_service.test.sessions.calls import waiting

EMAIL = "ada@example.org"
CLAIMS: list[dict[str, Any]] = [
    {"profile": {"email": EMAIL}},
    {"profile": {"email": EMAIL.upper(), "name": "Ada"}},
    {"profile": {"email": EMAIL}, "device_id": "phone-1"},
]


@pytest.fixture
async def site(workspace: Workspace) -> Site:
    """The host site of the inbox."""
    return await site_of(workspace)


@pytest.fixture
async def ada(site: Site) -> Person:
    """Whom the site vouches for, with her e-mail."""
    return await identified(site, email=EMAIL, email_verified=True)


async def claims(workspace: Workspace, **body: Any) -> Person:
    """Somebody who says something of himself."""
    path = f"/v1/inboxes/{workspace.inbox_key}/customers"
    begun = (await workspace.client.post(path, json=body)).json()
    return Person(workspace.client, begun["access_token"], begun["customer"]["id"], begun)


@pytest.mark.parametrize("body", CLAIMS)
@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_claimed_email_opens_no_history(
    workspace: Workspace, ada: Person, body: dict[str, Any]
) -> None:
    session_id = await waiting(ada)
    eve = await claims(workspace, **body)
    assert eve.id != ada.id
    assert (await eve.get(f"/v1/sessions/{session_id}")).status_code == 404
    assert (await eve.get("/v1/sessions")).json()["data"] == []


@pytest.mark.parametrize("body", CLAIMS)
async def test_staff_are_shown_that_it_is_claimed(
    workspace: Workspace, ada: Person, body: dict[str, Any]
) -> None:
    bob, eve = await workspace.agent(), await claims(workspace, **body)
    for person, verified in ((eve, False), (ada, True)):
        seen = (await bob.get(f"/v1/customers/{person.id}")).json()["customer"]
        assert (seen["verified"], seen["email_verified"]) == (verified, verified)


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_an_email_typed_later_opens_nothing_either(workspace: Workspace, ada: Person) -> None:
    session_id, eve = await waiting(ada), await workspace.customer()
    changed = await eve.call("PATCH", "/v1/customers/me", json={"email": EMAIL})
    assert changed.json()["customer"]["email_verified"] is False
    assert (await eve.get(f"/v1/sessions/{session_id}")).status_code == 404


@pytest.mark.asvs("15.3.3")
@pytest.mark.api_top10("API3")
async def test_an_id_cannot_be_claimed_at_all(workspace: Workspace, ada: Person) -> None:
    path = f"/v1/inboxes/{workspace.inbox_key}/customers"
    for body in (
        {"external_id": "user-7"},
        {"profile": {"external_id": "user-7"}},
        {"profile": {"email": EMAIL, "email_verified": True}},
        {"verified": True},
        {"customer_id": ada.id},
    ):
        assert (await workspace.client.post(path, json=body)).status_code == 422
    for body in ({"external_id": "user-7"}, {"verified": True}, {"email_verified": True}):
        eve = await workspace.customer()
        assert (await eve.call("PATCH", "/v1/customers/me", json=body)).status_code == 422


@pytest.mark.api_top10("API2")
async def test_who_shows_the_right_email_in_his_profile_is_not_who_the_token_says(
    workspace: Workspace, site: Site, ada: Person
) -> None:
    shown = await show(workspace, site.token("eve"), profile={"email": EMAIL})
    eve = shown.json()["customer"]
    assert eve["id"] != ada.id
    assert (eve["verified"], eve["email_verified"]) == (True, False)


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_two_customers_may_have_one_email_and_nothing_in_common(
    workspace: Workspace, site: Site, ada: Person
) -> None:
    session_id = await waiting(ada)
    eve = await identified(site, "eve", email=EMAIL, email_verified=True)
    assert eve.id != ada.id
    assert (await eve.get(f"/v1/sessions/{session_id}")).status_code == 404


@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_a_verified_email_is_the_sites_to_change(workspace: Workspace, ada: Person) -> None:
    bob = await workspace.agent()
    for person, path in ((ada, "/v1/customers/me"), (bob, f"/v1/customers/{ada.id}")):
        for email in ("eve@example.org", None):
            refused = await person.call("PATCH", path, json={"email": email})
            assert (refused.status_code, refused.json()["code"]) == (409, "email_verified")
        same = await person.call("PATCH", path, json={"email": EMAIL, "name": "Lady Ada"})
        assert (same.status_code, same.json()["customer"]["email_verified"]) == (200, True)
