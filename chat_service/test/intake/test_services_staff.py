"""Sessions that staff start for a customer."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from chat_service.schema import Permission, Role
from chat_service.test.agents.staffing import agent_with, new_team
from chat_service.test.builders import Json, Person, Workspace, build_workspace, message, unique
from chat_service.test.sessions.calls import act, agent_ref, show, types

P = Permission


async def refusal(person: Person, **fields: Any) -> tuple[int, str]:
    """Status and code of a refused start."""
    response = await person.post("/v1/sessions", {"client_session_id": unique(), **fields})
    return response.status_code, response.json()["code"]


async def test_a_session_started_by_an_agent_is_open_and_his(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session = (await bob.start("May I help?", customer_id=customer.id))["session"]
    assert (session["status"], session["channel"]) == ("open", "api")
    assert session["assignee"]["id"] == bob.id
    assert (session["queue"], session["waiting_since"]) == (None, None)
    assert await types(bob, session["id"]) == ["message.created"]
    seen = await customer.messages(session["id"])
    assert [(item["content"]["text"], item["author"]["type"]) for item in seen] == [
        ("May I help?", "agent")
    ]


async def test_a_session_started_by_a_key_waits(workspace: Workspace) -> None:
    key, customer = await workspace.key(), await workspace.customer()
    session = (await key.start(customer_id=customer.id, custom_attributes={"order": 17}))["session"]
    assert (session["status"], session["assignee"]) == ("queued", None)
    assert session["custom_attributes"] == {"order": 17}
    assert session["queue"]["entered_at"] == session["created_at"]
    written = await customer.messages(session["id"])
    assert written[0]["author"]["type"] == "bot"
    assert written[0]["author"]["id"] == str(UUID(key.id))


async def test_staff_must_name_the_customer(workspace: Workspace) -> None:
    bob = await workspace.agent()
    response = await bob.post("/v1/sessions", {"client_session_id": unique()})
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"pointer": "/customer_id", "code": "missing", "detail": "staff must name the customer"}
    ]


READS = {P.SESSIONS_READ_ALL, P.SESSIONS_READ_TEAM}
READS |= {P.SESSIONS_READ_ASSIGNED, P.SESSIONS_READ_UNASSIGNED}


async def test_staff_who_may_read_no_session_start_none(workspace: Workspace) -> None:
    key, customer = await workspace.key(set(Permission) - READS), await workspace.customer()
    assert await refusal(key, customer_id=customer.id) == (403, "forbidden")
    assert (await customer.get("/v1/sessions")).json()["data"] == []


async def test_staff_start_no_session_that_they_could_not_read(workspace: Workspace) -> None:
    boss, customer = await workspace.agent(Role.OWNER), await workspace.customer()
    bob = await agent_with(
        workspace, boss, P.SESSIONS_READ_TEAM, P.SESSIONS_WRITE, P.MESSAGES_WRITE
    )
    eve = await agent_with(workspace, boss, P.SESSIONS_READ_ASSIGNED, P.SESSIONS_WRITE)
    mine, theirs = await new_team(boss, bob), await new_team(boss)
    for first in ({}, {"initial_message": message()}):
        for team in ({}, {"team_id": theirs}):
            told = await refusal(bob, customer_id=customer.id, **first, **team)
            assert told == (403, "forbidden")
    begun = [await bob.start(customer_id=customer.id, team_id=mine)]
    begun.append(await eve.start(None, customer_id=customer.id))
    listed = (await customer.get("/v1/sessions")).json()["data"]
    assert {one["id"] for one in listed} == {one["session"]["id"] for one in begun}


async def test_staff_resume_only_what_they_may_see(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    held = (await bob.start("Hello", customer_id=customer.id))["session"]["id"]
    narrow = await workspace.key(set(Permission) - {P.SESSIONS_READ_ALL, P.SESSIONS_READ_TEAM})
    begun = await narrow.start(customer_id=customer.id, mode="resume_or_create")
    assert begun["session"]["id"] != held
    wide = await workspace.key()
    resumed = await wide.start(None, customer_id=customer.id, mode="resume_or_create")
    assert resumed["session"]["id"] in (held, begun["session"]["id"])


async def test_an_unknown_customer_and_a_foreign_one_are_404(workspace: Workspace) -> None:
    bob = await workspace.agent()
    elsewhere = await build_workspace(workspace.service, workspace.client)
    foreign = await elsewhere.customer()
    for customer_id in (foreign.id, str(uuid4())):
        assert await refusal(bob, customer_id=customer_id) == (404, "not_found")
    assert (await foreign.get("/v1/sessions")).json()["data"] == []


async def test_a_customer_names_nobody_else_and_gives_no_attributes(workspace: Workspace) -> None:
    ada, carl = await workspace.customer(), await workspace.customer()
    assert await refusal(ada, customer_id=carl.id) == (403, "forbidden")
    assert await refusal(ada, custom_attributes={"vip": True}) == (403, "forbidden")
    assert (await ada.start(customer_id=ada.id))["session"]["customer_id"] == ada.id
    assert (await carl.get("/v1/sessions")).json()["data"] == []


@pytest.mark.parametrize("missing", [P.SESSIONS_WRITE, P.MESSAGES_WRITE])
async def test_staff_need_the_permissions_for_session_and_message(
    workspace: Workspace, missing: Permission
) -> None:
    key = await workspace.key(set(Permission) - {missing})
    customer = await workspace.customer()
    first = message()
    assert await refusal(key, customer_id=customer.id, initial_message=first) == (
        403,
        "forbidden",
    )
    assert (await customer.get("/v1/sessions")).json()["data"] == []


async def test_a_session_may_begin_with_a_note(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    note = message("Called by phone", visibility="internal")
    started = await bob.start(None, customer_id=customer.id, initial_message=note)
    assert started["message"]["visibility"] == "internal"
    assert started["session"]["message_count"] == 0
    assert await customer.messages(started["session"]["id"]) == []


async def test_staff_repeat_a_start_safely_after_the_session_left_their_sight(
    workspace: Workspace,
) -> None:
    bob, eve, customer = (
        await workspace.agent(),
        await workspace.agent(),
        await workspace.customer(),
    )
    body: Json = {
        "client_session_id": unique(),
        "customer_id": customer.id,
        "initial_message": message(),
    }
    first = (await bob.post("/v1/sessions", body)).json()
    assert (await bob.post("/v1/sessions", body)).json()["message"] == first["message"]
    session_id = first["session"]["id"]
    await act(bob, session_id, "assign", {"assignee": agent_ref(eve)})
    again = await bob.post("/v1/sessions", body)
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    admin = await workspace.agent(Role.ADMIN)
    assert (await show(admin, session_id))["message_count"] == 1


async def test_staff_starts_count_among_the_customers_open_sessions(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    for _ in range(2):
        await customer.start()
    await bob.start(customer_id=customer.id)
    expected = (409, "too_many_open_sessions")
    assert await refusal(bob, customer_id=customer.id) == expected
    assert await refusal(customer) == expected


async def test_attributes_have_a_bound(workspace: Workspace) -> None:
    key, customer = await workspace.key(), await workspace.customer()
    attributes = {"x": "y" * 5000}
    assert await refusal(key, customer_id=customer.id, custom_attributes=attributes) == (
        422,
        "validation_failed",
    )
