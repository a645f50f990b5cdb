"""A visitor shows who he is: who he becomes, what of his moves with him, and what never does."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from chat_service.model import Participant
from chat_service.schema import Actor, AuthorType, SessionId, utc_now
from chat_service.sessions.participants import new_row
from chat_service.test.builders import Json, Person, Workspace, build_workspace, message, writing
from chat_service.test.customers.calls import refresh
from chat_service.test.customers.site import Site, identified, show, site_of
from chat_service.test.fakes import TurningClock
from chat_service.test.sessions.calls import waiting
from chat_service.test.test_auth import another_process, at

SHOP: dict[str, Any] = {"name": "Ada Lovelace", "email": "ada@example.org", "email_verified": True}


@pytest.fixture
async def site(workspace: Workspace) -> Site:
    """The host site of the inbox."""
    return await site_of(workspace)


@pytest.fixture
async def key(workspace: Workspace) -> Person:
    """A program that sees everything."""
    return await workspace.key()


async def status(person: Person) -> int:
    """Whether a person's token opens the door."""
    return (await person.get("/v1/sessions")).status_code


async def sessions_of(person: Person) -> set[str]:
    """The sessions somebody sees."""
    return {one["id"] for one in (await person.get("/v1/sessions")).json()["data"]}


async def told(key: Person, *types: str) -> list[Json]:
    """What the log of the workspace tells of these types."""
    found = await key.get("/v1/events", params={"types": ",".join(types), "limit": 500})
    data: list[Json] = found.json()["data"]
    return data


async def test_who_is_vouched_for_is_the_same_customer_on_every_device(
    site: Site, key: Person
) -> None:
    phone, desk = await identified(site, **SHOP), await identified(site, device="desk")
    assert phone.id == desk.id
    assert phone.details["customer"]["verified"] is True
    assert phone.details["customer"]["email_verified"] is True
    assert "external_id" not in phone.details["customer"]
    seen = (await key.get(f"/v1/customers/{phone.id}")).json()["customer"]
    assert (seen["external_id"], seen["name"], seen["email"]) == (
        "user-7",
        "Ada Lovelace",
        "ada@example.org",
    )
    session_id = await waiting(phone)
    assert await sessions_of(desk) == {session_id}


@pytest.mark.asvs("15.4.2")
async def test_of_many_who_come_first_at_once_all_are_one(site: Site, workspace: Workspace) -> None:
    visitors = [await workspace.customer() for _ in range(3)]
    begun = [await waiting(visitor) for visitor in visitors]
    people = await asyncio.gather(
        *(identified(site, by=visitor, device=f"d{n}") for n, visitor in enumerate(visitors)),
        *(identified(site, device=f"e{n}") for n in range(3)),
    )
    assert len({person.id for person in people}) == 1
    assert await sessions_of(people[0]) == set(begun)
    assert {await status(visitor) for visitor in visitors} == {401}


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_site_knows_its_own_inbox_only(site: Site, workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    there = await identified(await site_of(elsewhere))
    assert there.id != (await identified(site)).id


async def test_a_visitor_whom_nobody_knows_yet_becomes_the_customer(
    site: Site, workspace: Workspace, key: Person
) -> None:
    visitor = await workspace.customer("Ada")
    session_id = await waiting(visitor)
    ada = await identified(site, by=visitor)
    assert ada.id == visitor.id
    assert ada.details["customer"]["name"] == "Ada"
    assert await sessions_of(ada) == {session_id}
    assert [await status(visitor), (await refresh(visitor)).status_code] == [401, 400]
    assert await told(key, "customer.merged", "session.updated") == []
    changed = [event["data"]["changed"] for event in await told(key, "customer.updated")]
    assert changed == [["verified"]]


async def test_a_visitors_sessions_move_to_the_customer_he_turns_out_to_be(
    site: Site, workspace: Workspace, key: Person
) -> None:
    ada, visitor = await identified(site, device="desk", **SHOP), await workspace.customer(
        "somebody"
    )
    own, moved = await waiting(ada), await waiting(visitor)
    again = await identified(site, by=visitor)
    assert again.id == ada.id != visitor.id
    for person in (ada, again):
        assert await sessions_of(person) == {own, moved}
    assert [await status(visitor), await status(ada)] == [401, 200]
    assert (await again.send(moved)).status_code == 201
    merged = await told(key, "customer.merged")
    assert [event["data"] for event in merged] == [{"customer_id": visitor.id, "into": ada.id}]
    assert [event["actor"] for event in merged] == [{"type": "customer", "id": ada.id}]


async def test_staff_are_told_in_the_session_and_the_customers_numbers_stay(
    site: Site, workspace: Workspace, key: Person
) -> None:
    ada, visitor = await identified(site), await workspace.customer()
    session_id = await waiting(visitor)
    before = (await key.get(f"/v1/sessions/{session_id}")).json()["session"]
    seen = await visitor.events(session_id)
    again = await identified(site, by=visitor)
    event = (await key.events(session_id))[-1]
    assert (event["type"], event["public_seq"]) == ("session.updated", None)
    assert event["data"]["changes"] == {"customer_id": [visitor.id, ada.id]}
    after = (await key.get(f"/v1/sessions/{session_id}")).json()["session"]
    assert (after["customer_id"], after["version"]) == (ada.id, before["version"] + 1)
    assert after["last_activity_at"] == before["last_activity_at"]
    assert await again.events(session_id) == seen


async def test_what_a_visitor_has_read_is_read(site: Site, workspace: Workspace) -> None:
    bob, ada, visitor = await workspace.agent(), await identified(site), await workspace.customer()
    session_id = await waiting(visitor)
    await bob.send(session_id, "1")
    path = f"/v1/sessions/{session_id}"
    await visitor.call("PUT", f"{path}/read-state", json={"read_seq": 4})
    await bob.send(session_id, "2")
    again = await identified(site, by=visitor)
    me = (await again.get(path)).json()["session"]["read_states"]["me"]
    assert (me["read_seq"], me["unread_count"]) == (4, 1)
    states = (await bob.get(path)).json()["session"]["read_states"]
    customers = [
        one["participant"]["id"] for one in states if one["participant"]["type"] == "customer"
    ]
    assert customers == [ada.id]


async def test_marks_of_both_are_merged(site: Site, workspace: Workspace) -> None:
    """A mark of the customer that was noted before the sessions were his may stand there already."""
    bob, ada, visitor = await workspace.agent(), await identified(site), await workspace.customer()
    session_id = await waiting(visitor)
    here = {
        "workspace_id": workspace.id,
        "session_id": UUID(session_id),
        "type": AuthorType.CUSTOMER,
    }
    row = new_row(workspace.id, SessionId(UUID(session_id)), _actor(ada), now=utc_now())
    async with writing(workspace.service) as db:
        db.add(Participant(**row | {"delivered_seq": 9, "delivered_public_seq": 8}))
    again = await identified(site, by=visitor)
    async with writing(workspace.service) as db:
        stored = (await db.scalars(select(Participant).filter_by(**here))).one()
    assert (str(stored.id), stored.read_seq, stored.delivered_seq) == (again.id, 1, 9)
    states = (await bob.get(f"/v1/sessions/{session_id}")).json()["session"]["read_states"]
    assert [one["participant"]["id"] for one in states] == [ada.id]


def _actor(person: Person) -> Actor:
    return Actor(AuthorType.CUSTOMER, UUID(person.id))


async def test_a_name_for_a_session_that_both_used_names_the_customers_own(
    site: Site, workspace: Workspace
) -> None:
    ada, visitor = await identified(site), await workspace.customer()
    own = (await ada.start(client_session_id="visit-1"))["session"]["id"]
    moved = (await visitor.start(client_session_id="visit-1"))["session"]["id"]
    alone = (await visitor.start(client_session_id="visit-2"))["session"]["id"]
    again = await identified(site, by=visitor)
    assert await sessions_of(again) == {own, moved, alone}
    for name, wanted in (("visit-1", own), ("visit-2", alone)):
        found = await again.start(None, client_session_id=name)
        assert found["session"]["id"] == wanted


async def test_old_ids_keep_resolving(site: Site, workspace: Workspace, key: Person) -> None:
    ada, visitor = await identified(site, **SHOP), await workspace.customer()
    session_id = await waiting(visitor)
    await identified(site, by=visitor)
    found = (await key.get(f"/v1/customers/{visitor.id}")).json()["customer"]
    assert (found["id"], found["name"]) == (ada.id, "Ada Lovelace")
    listed = await key.get("/v1/sessions", params={"customer_id": visitor.id})
    assert [one["id"] for one in listed.json()["data"]] == [session_id]
    begun = await key.start(customer_id=visitor.id)
    assert begun["session"]["customer_id"] == ada.id
    patched = await key.call("PATCH", f"/v1/customers/{visitor.id}", json={"name": "Lady Ada"})
    assert patched.json()["customer"]["id"] == ada.id


async def test_what_a_visitor_said_bears_the_customers_name(
    site: Site, workspace: Workspace
) -> None:
    await identified(site, **SHOP)
    visitor = await workspace.customer("somebody")
    session_id = await waiting(visitor)
    again = await identified(site, by=visitor)
    author = (await again.messages(session_id))[0]["author"]
    assert author == {"type": "customer", "id": visitor.id, "display_name": "Ada Lovelace"}


async def test_a_message_of_the_visitor_may_be_edited_by_who_he_became(
    site: Site, workspace: Workspace
) -> None:
    await identified(site)
    visitor = await workspace.customer()
    session_id = await waiting(visitor)
    again = await identified(site, by=visitor)
    path = f"/v1/sessions/{session_id}/messages/{(await again.messages(session_id))[0]['id']}"
    words = {"content": {"type": "text", "text": "Other words"}}
    assert (await again.call("PATCH", path, json=words)).status_code == 200


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_one_verified_customer_never_becomes_another(
    site: Site, workspace: Workspace, key: Person
) -> None:
    ada, desk = await identified(site, "ada"), await identified(site, "ada", device="desk")
    session_id = await waiting(ada)
    for known in (False, True):
        eve = await identified(site, "eve", by=ada if not known else desk)
        assert eve.id != ada.id
        assert await sessions_of(eve) == set()
        assert (await eve.get(f"/v1/sessions/{session_id}")).status_code == 404
    assert [await status(ada), await status(desk)] == [401, 401]
    assert await told(key, "customer.merged") == []
    assert await sessions_of(await identified(site, "ada")) == {session_id}


async def test_only_the_device_that_changes_hands_is_signed_out(site: Site) -> None:
    ada, desk = await identified(site, "ada"), await identified(site, "ada", device="desk")
    await identified(site, "eve", by=ada)
    assert [await status(ada), await status(desk)] == [401, 200]


async def test_who_shows_again_who_he_is_keeps_his_tokens(site: Site) -> None:
    ada = await identified(site)
    again = await identified(site, by=ada)
    assert again.details["refresh_token"] == ada.details["refresh_token"]
    assert [await status(ada), await status(again)] == [200, 200]
    desk = await identified(site, by=ada, device="desk")
    assert desk.details["refresh_token"] != ada.details["refresh_token"]
    assert await status(ada) == 200


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1", "API2")
async def test_the_bearer_of_nothing_or_of_something_else_brings_nothing_along(
    site: Site, workspace: Workspace, key: Person
) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    signed_out = await workspace.customer()
    session_id = await waiting(signed_out)
    await signed_out.post("/v1/auth/sign-out")
    people = [signed_out, await workspace.agent(), key, await elsewhere.customer()]
    people.append(Person(workspace.client, "x", ""))
    for person in people:
        ada = await identified(site, by=person)
        assert await sessions_of(ada) == set()
    assert [await status(person) for person in people] == [401, 200, 200, 200, 401]
    assert (await key.get(f"/v1/sessions/{session_id}")).json()["session"][
        "customer_id"
    ] == signed_out.id


@pytest.mark.asvs("8.2.2")
async def test_without_an_identity_token_the_bearer_counts_for_nothing(
    workspace: Workspace,
) -> None:
    visitor = await workspace.customer()
    path = f"/v1/inboxes/{workspace.inbox_key}/customers"
    begun = await visitor.post(path)
    assert begun.json()["customer"]["id"] != visitor.id
    assert await status(visitor) == 200


async def test_the_sites_word_is_newer_each_time_and_goes_before_the_visitors(
    site: Site, workspace: Workspace, key: Person
) -> None:
    visitor = await workspace.customer("typed")
    await visitor.call("PATCH", "/v1/customers/me", json={"email": "typed@example.org"})
    ada = await identified(site, by=visitor)
    typed = ada.details["customer"]
    assert (typed["name"], typed["email"], typed["email_verified"]) == (
        "typed",
        "typed@example.org",
        False,
    )
    said = (await identified(site, **SHOP)).details["customer"]
    assert (said["name"], said["email"], said["email_verified"]) == (*SHOP.values(),)
    newer = await identified(site, email="new@example.org")
    assert newer.details["customer"]["email_verified"] is False
    silent = (await identified(site)).details["customer"]
    assert (silent["name"], silent["email"]) == ("Ada Lovelace", "new@example.org")
    changed = [event["data"]["changed"] for event in await told(key, "customer.updated")]
    assert changed == [
        ["email"],
        ["verified"],
        ["email", "email_verified", "name"],
        ["email", "email_verified"],
    ]


async def test_a_profile_beside_the_token_fills_what_the_site_does_not_say(
    site: Site, workspace: Workspace
) -> None:
    profile = {"name": "typed", "email": "typed@example.org"}
    answer = await show(workspace, site.token(name="Ada"), profile=profile)
    customer = answer.json()["customer"]
    assert (customer["name"], customer["email"], customer["email_verified"]) == (
        "Ada",
        "typed@example.org",
        False,
    )


async def test_an_identity_token_needs_a_device(site: Site, workspace: Workspace) -> None:
    answer = await show(workspace, site.token(), device_id=None)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "/device_id"


async def test_a_start_that_is_retried_after_it_finds_its_session(
    site: Site, workspace: Workspace
) -> None:
    for known in (False, True):
        visitor, body = await workspace.customer(), {"client_session_id": f"c{known}"}
        start = {**body, "initial_message": message()}
        first = (await visitor.post("/v1/sessions", start)).json()
        ada = await identified(site, by=visitor)
        again = await ada.post("/v1/sessions", start)
        assert (again.status_code, again.json()["session"]["id"]) == (200, first["session"]["id"])
        assert again.json()["message"]["id"] == first["message"]["id"]


@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API2")
async def test_a_token_that_is_remembered_elsewhere_starts_nothing_for_who_has_become_another(
    site: Site, workspace: Workspace, turning_clock: TurningClock
) -> None:
    await identified(site)
    visitor = await workspace.customer()
    session_id = await waiting(visitor)
    async with another_process(workspace.service, turning_clock, recheck_seconds=1) as (_, there):
        remembered = at(there, visitor)
        assert await status(remembered) == 200
        await identified(site, by=visitor)
        answers = [
            await remembered.post("/v1/sessions", {"client_session_id": "c", "customer_id": None}),
            await remembered.get("/v1/customers/me"),
            await remembered.call("PATCH", "/v1/customers/me", json={"name": "Eve"}),
            await remembered.get(f"/v1/sessions/{session_id}"),
        ]
    assert {answer.status_code for answer in answers} <= {401, 404}
