"""Who holds a session: claimed, assigned, and what the log says of it."""

import asyncio
from uuid import UUID

import pytest

from chat_service.schema import Permission, Role, Status
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.rows import deactivate, put_to_rest
from chat_service.test.sessions.calls import (
    act,
    agent_ref,
    newest_event,
    refused,
    show,
    types,
    waiting,
)


async def test_a_claim_opens_a_waiting_session(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(name="Bob"), await workspace.customer()
    session = await act(bob, await waiting(customer), "claim")
    assert session["status"] == "open"
    assert session["assignee"] == {**agent_ref(bob), "display_name": "Bob"}
    assert session["queue"] is None


async def test_a_claim_is_recorded_with_its_changes(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    event = await newest_event(bob, session_id, "session.assigned")
    assert event["actor"] == agent_ref(bob)
    changes = {"assignee": [None, bob.id], "status": ["queued", "open"]}
    assert event["data"]["changes"] == changes
    joined = await newest_event(bob, session_id, "participant.joined")
    assert joined["data"]["participant"] == agent_ref(bob)


async def test_a_repeated_claim_changes_nothing(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    assert await act(bob, session_id, "claim") == await act(bob, session_id, "claim")
    assert await types(bob, session_id) == [
        "message.created",
        "session.assigned",
        "participant.joined",
    ]


@pytest.mark.conformance(56)
@pytest.mark.asvs("2.3.4", "15.4.2")
async def test_two_agents_claim_one_session_one_wins_409(workspace: Workspace) -> None:
    agents = [await workspace.agent() for _ in range(4)]
    session_id = await waiting(await workspace.customer())
    path = f"/v1/sessions/{session_id}/claim"
    answers = await asyncio.gather(*(agent.post(path) for agent in agents))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    winner = next(answer for answer in answers if answer.status_code == 200)
    holder = winner.json()["session"]["assignee"]["id"]
    for answer in answers:
        if answer is not winner:
            assert answer.json()["code"] == "already_assigned"
            assert answer.json()["assignee"] == {"type": "agent", "id": holder}


async def test_who_may_not_see_waiting_sessions_learns_of_none_by_a_claim(
    workspace: Workspace,
) -> None:
    bot, bob = await workspace.agent(Role.BOT), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    assert (await refused(bot, session_id, "claim"))["code"] == "forbidden"
    await act(bob, session_id, "claim")
    assert (await refused(bot, session_id, "claim"))["code"] == "forbidden"


async def test_a_session_that_a_colleague_closed_is_out_of_sight(workspace: Workspace) -> None:
    bob, eve = await workspace.agent(), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    await act(bob, session_id, "claim")
    await act(bob, session_id, "close")
    assert (await refused(eve, session_id, "claim"))["code"] == "not_found"


async def test_refuses_a_claim_from_a_closed_session(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(customer, session_id, "close")
    problem = await refused(bob, session_id, "claim")
    assert (problem["status"], problem["code"]) == (409, "invalid_move")
    assert problem["session_status"] == "closed"


async def test_an_assignment_gives_a_session_to_whoever_is_named(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    session = await act(admin, session_id, "assign", {"assignee": agent_ref(bob)})
    assert (session["status"], session["assignee"]["id"]) == ("open", bob.id)
    event = await newest_event(admin, session_id, "session.assigned")
    assert event["actor"] == agent_ref(admin)
    assert event["data"]["changes"]["assignee"] == [None, bob.id]


async def test_a_session_passes_from_hand_to_hand_and_each_joins_once(
    workspace: Workspace,
) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    for agent in (bob, admin, bob):
        await act(admin, session_id, "assign", {"assignee": agent_ref(agent)})
    event = await newest_event(admin, session_id, "session.assigned")
    assert event["data"]["changes"] == {"assignee": [admin.id, bob.id]}
    happened = await types(admin, session_id)
    assert happened.count("session.assigned") == 3
    assert happened.count("participant.joined") == 2


async def test_a_repeated_assignment_changes_nothing(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    body = {"assignee": agent_ref(bob)}
    assert await act(admin, session_id, "assign", body) == await act(
        admin, session_id, "assign", body
    )


async def test_an_agent_who_passed_a_session_on_sees_the_result_and_no_more(
    workspace: Workspace,
) -> None:
    bob, eve = await workspace.agent(), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    await act(bob, session_id, "claim")
    session = await act(bob, session_id, "assign", {"assignee": agent_ref(eve)})
    assert session["assignee"]["id"] == eve.id
    assert (await bob.get(f"/v1/sessions/{session_id}")).status_code == 404


async def test_an_assignment_wakes_a_resting_session(workspace: Workspace) -> None:
    admin = await workspace.agent(Role.ADMIN)
    for resting in (Status.PENDING, Status.SNOOZED):
        session_id = await waiting(await workspace.customer())
        await put_to_rest(workspace, session_id, resting)
        await act(admin, session_id, "assign", {"assignee": agent_ref(admin)})
        event = await newest_event(admin, session_id, "session.assigned")
        assert event["data"]["changes"]["status"] == [resting, "open"]


async def test_refuses_to_assign_a_closed_session(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await act(customer, session_id, "close")
    problem = await refused(admin, session_id, "assign", {"assignee": agent_ref(admin)})
    assert (problem["code"], problem["session_status"]) == ("invalid_move", "closed")


async def test_refuses_to_assign_to_who_is_no_active_agent_here(workspace: Workspace) -> None:
    admin, gone = await workspace.agent(Role.ADMIN), await workspace.agent()
    await deactivate(workspace, gone)
    elsewhere = await build_workspace(workspace.service, workspace.client)
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await waiting(customer)
    for nobody in (gone, await elsewhere.agent(), customer, key):
        problem = await refused(admin, session_id, "assign", {"assignee": agent_ref(nobody)})
        assert (problem["status"], problem["errors"][0]["code"]) == (422, "unknown_agent")
        assert problem["errors"][0]["pointer"] == "/assignee"
    assert (await show(admin, session_id))["assignee"] is None
    assert await types(admin, session_id) == ["message.created"]


async def test_an_expected_assignee_must_hold_the_session(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    await act(bob, session_id, "claim")
    for expected in (agent_ref(admin), None):
        body = {"assignee": agent_ref(admin), "expected_assignee": expected}
        problem = await refused(admin, session_id, "assign", body)
        assert (problem["status"], problem["code"]) == (409, "already_assigned")
        assert problem["assignee"] == agent_ref(bob)
    body = {"assignee": agent_ref(admin), "expected_assignee": agent_ref(bob)}
    assert (await act(admin, session_id, "assign", body))["assignee"]["id"] == admin.id


async def test_nobody_may_be_expected(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    expected = {"assignee": agent_ref(admin), "expected_assignee": agent_ref(bob)}
    problem = await refused(admin, session_id, "assign", expected)
    assert (problem["code"], problem["assignee"]) == ("already_assigned", None)
    body = {"assignee": agent_ref(admin), "expected_assignee": None}
    assert (await act(admin, session_id, "assign", body))["assignee"]["id"] == admin.id


async def test_of_assignments_that_expect_nobody_one_wins(workspace: Workspace) -> None:
    admin, agents = await workspace.agent(Role.ADMIN), [await workspace.agent() for _ in range(4)]
    session_id = await waiting(await workspace.customer())
    path = f"/v1/sessions/{session_id}/assign"
    bodies = [{"assignee": agent_ref(agent), "expected_assignee": None} for agent in agents]
    answers = await asyncio.gather(*(admin.post(path, body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_only_who_has_the_permission_may_assign(workspace: Workspace) -> None:
    viewer, bob = await workspace.agent(Role.VIEWER), await workspace.agent()
    key = await workspace.key(set(Permission) - {Permission.SESSIONS_ASSIGN})
    session_id = await waiting(await workspace.customer())
    for nobody in (viewer, key):
        problem = await refused(nobody, session_id, "assign", {"assignee": agent_ref(bob)})
        assert (problem["status"], problem["code"]) == (403, "forbidden")


async def test_a_key_assigns_and_never_claims(workspace: Workspace) -> None:
    key, bob = await workspace.key(), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    assert (await refused(key, session_id, "claim"))["code"] == "forbidden"
    await act(key, session_id, "assign", {"assignee": agent_ref(bob)})
    event = await newest_event(key, session_id, "session.assigned")
    assert event["actor"] == {"type": "bot", "id": str(UUID(key.id))}
