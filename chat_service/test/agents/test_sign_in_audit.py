"""Each sign-in leaves one entry, done or refused; too many of them leave one a window."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from chat_service.agents.attempts import NOWHERE
from chat_service.events.transaction import reading
from chat_service.model import Agent, AuditEntry
from chat_service.schema import AgentStatus
from chat_service.test.agents.lives import (
    ask,
    audited,
    email_of,
    enter,
    new_address,
    protect,
)
from chat_service.test.builders import PASSWORD, Workspace, unique
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row, deactivate

ACT = "agent.signed_in"


@pytest.mark.asvs("16.3.1")
async def test_a_sign_in_is_audited_with_its_login(workspace: Workspace) -> None:
    bob = await workspace.agent()
    assert (await enter(workspace, bob)).status_code == 200
    (entry,) = await audited(workspace, ACT)
    assert (entry.outcome, entry.actor_id, entry.target_id) == ("done", bob.id, bob.id)
    assert entry.has_token


@pytest.mark.asvs("16.3.1")
async def test_a_refused_one_names_the_account_and_nobody_as_actor(workspace: Workspace) -> None:
    bob, gone, guest = [await workspace.agent() for _ in range(3)]
    await deactivate(workspace, gone)
    await change_row(workspace, Agent, guest.id, status=AgentStatus.INVITED)
    for who, password in ((bob, "wrong"), (gone, PASSWORD), (guest, PASSWORD)):
        assert (await enter(workspace, who, password=password)).status_code == 400
    assert (await enter(workspace, f"{unique()}@example.org")).status_code == 400
    refused = [each for each in await audited(workspace, ACT) if each.outcome == "refused"]
    assert [each.target_id for each in refused] == [bob.id, gone.id, guest.id, None]
    assert {each.actor_id for each in refused} == {None}


@pytest.mark.asvs("16.2.5")
async def test_no_email_stands_in_the_audit_log(workspace: Workspace) -> None:
    bob, stranger = await workspace.agent(), f"{unique()}@example.org"
    await enter(workspace, bob, password="wrong")
    await enter(workspace, stranger)
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace.id)
    with workspace.service.database.bound():
        async with reading() as db:
            rows = [str(vars(row)) for row in (await db.scalars(query)).all()]
    assert not [row for row in rows if email_of(bob) in row or stranger in row]


async def nowhere_entries(workspace: Workspace) -> int:
    """How many entries stand under no workspace."""
    query = select(func.count()).where(AuditEntry.workspace_id == NOWHERE)
    with workspace.service.database.bound():
        async with reading() as db:
            return (await db.scalars(query.select_from(AuditEntry))).one()


@pytest.mark.asvs("16.3.1")
async def test_a_try_at_no_workspace_stands_under_none(workspace: Workspace) -> None:
    before = await nowhere_entries(workspace)
    email = f"{unique()}@example.org"
    body = {"email": email, "password": "x", "workspace": f"none-{uuid4().hex[:8]}"}
    assert (await ask(workspace.service, "/v1/auth/sign-in", body)).status_code == 400
    assert await nowhere_entries(workspace) == before + 1


@pytest.mark.asvs("16.3.1", "16.3.3")
async def test_too_many_tries_are_audited_once_a_window(
    workspace: Workspace, clock: TurningClock
) -> None:
    bob, place = await workspace.agent(), new_address()
    await asyncio.gather(*(enter(workspace, bob, place, password="wrong") for _ in range(40)))
    assert len(await audited(workspace, ACT)) == 5 + 1
    clock.turn(seconds=301)
    for _ in range(8):
        await enter(workspace, bob, place, password="wrong")
    assert len(await audited(workspace, ACT)) == 2 * (5 + 1)


@pytest.mark.asvs("16.3.1")
async def test_a_wrong_code_is_refused_and_a_missing_one_is_no_refusal(
    workspace: Workspace,
) -> None:
    bob = await workspace.agent()
    factor = await protect(workspace, bob)
    for code in (None, "000000", factor.code()):
        await enter(workspace, bob, code=code)
    entries = await audited(workspace, ACT)
    assert [each.outcome for each in entries] == ["refused", "done"]
    assert {each.target_id for each in entries} == {bob.id}
