"""An agent leaves: what he held returns to the queue, and he can do nothing any more."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from sqlalchemy import text, update

from chat_service.agents import queries as agents
from chat_service.events.transaction import looking
from chat_service.model import ChatSession
from chat_service.schema import Role, Status
from chat_service.test.addresses import BODIES, OFF, addresses, build_stage, who_of
from chat_service.test.agents.lives import CHOSEN, audited, code_of, enter, join
from chat_service.test.builders import Person, Workspace, writing
from chat_service.test.conformance.sqllog import locks, watching
from chat_service.test.rows import change_row, put_to_rest
from chat_service.test.sessions.calls import act, agent_ref, newest_event, show, types, waiting
from chat_service.test.snapshot import rows_of
from chat_service.web import Who


async def held_by(workspace: Workspace, bob: Person) -> str:
    """A session that an agent holds."""
    session_id = await waiting(await workspace.customer())
    await act(bob, session_id, "claim")
    return session_id


async def leave(owner: Person, bob: Person) -> int:
    """Deactivate an agent."""
    return (await owner.post(f"/v1/agents/{bob.id}/deactivate")).status_code


async def test_what_he_held_returns_to_the_queue(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    held = {status: await held_by(workspace, bob) for status in Status if status != "queued"}
    for status in (Status.PENDING, Status.SNOOZED):
        await put_to_rest(workspace, held[status], status)
    await act(bob, held[Status.CLOSED], "close")
    others = await held_by(workspace, owner)
    assert await leave(owner, bob) == 200
    shown = {status: await show(owner, session_id) for status, session_id in held.items()}
    for status in (Status.OPEN, Status.PENDING, Status.SNOOZED):
        session = shown[status]
        assert (session["status"], session["assignee"]) == ("queued", None)
        assert session["queue"]["entered_at"]
        event = await newest_event(owner, held[status], "session.requeued")
        assert event["actor"] == agent_ref(owner)
        changes = {"assignee": [bob.id, None], "status": [str(status), "queued"]}
        assert event["data"]["changes"] == changes
    assert shown[Status.CLOSED]["status"] == "closed"
    assert (await show(owner, others))["assignee"]["id"] == owner.id
    assert "session.requeued" not in await types(owner, others)


async def test_a_repeat_changes_nothing(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    session_id = await held_by(workspace, bob)
    assert await leave(owner, bob) == 200
    before = await rows_of(workspace)
    assert await leave(owner, bob) == 200
    assert await rows_of(workspace) == before
    assert len(await audited(workspace, "agent.deactivated")) == 1
    key = await workspace.key()
    events = (await key.get("/v1/events")).json()["data"]
    told = [event["type"] for event in events if event["actor"]["id"] == owner.id]
    assert told == ["agent.deactivated", "token.revoked", "session.requeued"]
    assert (await show(owner, session_id))["status"] == "queued"


async def test_a_customer_sees_the_chat_return_to_the_queue(workspace: Workspace) -> None:
    owner, bob, ada = [
        await workspace.agent(Role.OWNER),
        await workspace.agent(),
        await workspace.customer(),
    ]
    session_id = await waiting(ada)
    await act(bob, session_id, "claim")
    await leave(owner, bob)
    assert (await show(ada, session_id))["status"] == "queued"
    assert (await ada.send(session_id)).status_code == 201
    await act(owner, session_id, "claim")


async def test_it_waits_since_the_customer_does(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    session_id = await held_by(workspace, bob)
    since = workspace.service.clock().replace(year=2026, microsecond=0)
    await change_row(workspace, ChatSession, session_id, waiting_since=since)
    await leave(owner, bob)
    entered = (await show(owner, session_id))["queue"]["entered_at"]
    assert entered.startswith(f"{since:%Y-%m-%dT%H:%M:%S}")


OF_AGENTS = [each for each in addresses() if Who.AGENT in who_of(each) and each not in OFF]


@pytest.mark.asvs("7.4.2")
@pytest.mark.api_top10("API2")
async def test_a_deactivated_agent_can_do_nothing_at_all(workspace: Workspace) -> None:
    stage = await build_stage(workspace)
    bob = await workspace.agent(Role.ADMIN)
    ticket = (await bob.post("/v1/realtime/tickets")).json()["ticket"]
    link = (await stage.agent.post(f"/v1/agents/{bob.id}/link")).json()["link"]["token"]
    assert await leave(stage.agent, bob) == 200
    before = await rows_of(workspace)
    for address in OF_AGENTS:
        body = BODIES[address](stage) if address in BODIES else None
        method = address.partition(" ")[0]
        response = await bob.call(method, stage.path(address), json=body)
        assert response.status_code == 401, address
    assert code_of(await enter(workspace, bob)) == (400, "invalid_grant")
    assert code_of(await join(workspace, link, password=CHOSEN)) == (400, "invalid_grant")
    assert await rows_of(workspace) == before
    assert ticket


@pytest.mark.asvs("7.4.2", "15.4.2")
@pytest.mark.api_top10("API2")
async def test_nothing_succeeds_after_the_answer_whatever_was_under_way(
    workspace: Workspace,
) -> None:
    """Sign-ins, claims, new chats and messages at once with the deactivation: he holds nothing."""
    owner, bob, ada = [
        await workspace.agent(Role.OWNER),
        await workspace.agent(),
        await workspace.customer(),
    ]
    free = [await waiting(await workspace.customer()) for _ in range(6)]
    mine = await held_by(workspace, bob)
    acts = [
        *(bob.post(f"/v1/sessions/{session_id}/claim") for session_id in free),
        *(bob.send(mine) for _ in range(6)),
        *(enter(workspace, bob) for _ in range(4)),
        bob.post("/v1/sessions", {"client_session_id": "mine", "customer_id": ada.id}),
    ]

    async def let_go() -> None:
        while (status := await leave(owner, bob)) != 200:
            assert status == 503, "only where he was given a session meanwhile"

    *answers, _ = await asyncio.gather(*acts, let_go())
    told = Counter(each.status_code for each in answers if each is not None)
    assert set(told) <= {200, 201, 400, 401, 404, 409, 422, 503}
    sessions = (await owner.get("/v1/sessions?limit=200")).json()["data"]
    assert not [each for each in sessions if (each["assignee"] or {}).get("id") == bob.id]
    for answer in answers:
        if answer is not None and "access_token" in answer.json():
            entered = Person(workspace.client, answer.json()["access_token"], bob.id)
            assert (await entered.get("/v1/sessions")).status_code == 401
    await owner.post(f"/v1/agents/{bob.id}/activate")
    assert (await bob.get("/v1/sessions")).status_code == 401


@pytest.mark.conformance("locks_follow_the_one_order")
@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.asvs("15.4.3")
async def test_sessions_are_locked_before_agents(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    await held_by(workspace, bob)
    with watching(workspace.service.database.engine) as sql:
        await leave(owner, bob)
    assert locks(sql.writes()[-1]) == ["chat_sessions", "agents", "tokens", "feed_head"]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.asvs("15.4.2")
async def test_a_session_given_between_the_locks_is_not_left_behind(workspace: Workspace) -> None:
    """Whoever gives it holds the agent's lock, for which the deactivation waits."""
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    session_id = UUID(await waiting(await workspace.customer()))
    mine = (ChatSession.workspace_id == workspace.id, ChatSession.id == session_id)
    async with writing(workspace.service) as db:
        await agents.lock(db, workspace.id, UUID(bob.id))
        leaving = asyncio.create_task(leave(owner, bob))
        while not await waits_for_a_lock(workspace):
            await asyncio.sleep(0.01)
        given = {"assignee_id": UUID(bob.id), "status": Status.OPEN, "queued_at": None}
        await db.execute(update(ChatSession).where(*mine).values(given))
    assert await leaving == 503
    assert (await bob.get("/v1/sessions")).status_code == 200
    assert await leave(owner, bob) == 200
    assert (await show(owner, str(session_id)))["status"] == "queued"


async def waits_for_a_lock(workspace: Workspace) -> bool:
    """Whether a transaction of this database waits for the lock of another."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with workspace.service.database.bound():
        async with looking() as db:
            return bool(await db.scalar(waits))
