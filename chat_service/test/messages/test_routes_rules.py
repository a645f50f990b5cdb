"""Sending by the rules of the session and the inbox, and reading a message only where it changed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import attrs
import pytest

from chat_service.config import Limits
from chat_service.model import ChatSession
from chat_service.schema import Role
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of, started
from chat_service.test.messages.talk import (
    edit,
    empty_session,
    path_of,
    pointed_at,
    read,
    refusal,
    said,
)
from chat_service.test.rows import change_row, set_inbox


async def test_an_answer_names_the_message_it_answers(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    question = await said(customer, session_id, "Where is it?")
    answer = await said(key, session_id, "Here", reply_to_id=question["id"])
    assert answer["reply_to_id"] == question["id"]
    assert (await read(customer, answer))["reply_to_id"] == question["id"]


@pytest.mark.parametrize("answered", ["nothing", "a note", "another session's message"])
async def test_a_message_that_cannot_be_answered_here_is_refused(
    workspace: Workspace, answered: str
) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    here, there = await empty_session(customer), await empty_session(customer)
    ids = {
        "nothing": str(uuid4()),
        "a note": (await said(key, here, visibility="internal"))["id"],
        "another session's message": (await said(customer, there))["id"],
    }
    for person in (customer, key):
        response = await person.send(here, reply_to_id=ids[answered])
        assert refusal(response) == (422, "validation_failed")
        assert pointed_at(response) == [("/reply_to_id", "unknown_message")]


async def test_a_note_may_answer_a_note(workspace: Workspace) -> None:
    key = await workspace.key()
    session_id = await empty_session(await workspace.customer())
    note = await said(key, session_id, visibility="internal")
    answer = await said(key, session_id, visibility="internal", reply_to_id=note["id"])
    assert answer["reply_to_id"] == note["id"]


async def test_sessions_that_are_not_the_callers_are_not_found(workspace: Workspace) -> None:
    customer, other = await workspace.customer(), await workspace.customer()
    session_id = await empty_session(customer)
    sent = await said(customer, session_id)
    for path in (path_of(session_id), path_of(session_id, sent["id"]), path_of(str(uuid4()))):
        assert refusal(await other.get(path)) == (404, "not_found")
    assert refusal(await other.send(session_id)) == (404, "not_found")
    assert refusal(await customer.send(str(uuid4()))) == (404, "not_found")


async def test_a_message_is_found_in_its_own_session_alone(workspace: Workspace) -> None:
    customer = await workspace.customer()
    here, there = await empty_session(customer), await empty_session(customer)
    sent = await said(customer, here)
    assert refusal(await customer.get(path_of(there, sent["id"]))) == (404, "not_found")


async def test_a_full_session_takes_no_more(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = await empty_session(customer)
    await change_row(workspace, ChatSession, session_id, message_count=30_000)
    assert refusal(await customer.send(session_id)) == (409, "session_full")


async def test_where_claims_are_off_an_agent_claims_before_he_answers(
    workspace: Workspace,
) -> None:
    await set_inbox(workspace, reply_claims=False)
    bob = await workspace.agent()
    session_id = await empty_session(await workspace.customer())
    assert refusal(await bob.send(session_id)) == (409, "not_assigned")
    await bob.post(f"/v1/sessions/{session_id}/claim")
    assert (await bob.send(session_id)).status_code == 201


async def test_where_only_the_assignee_answers_a_colleague_is_told_who_that_is(
    workspace: Workspace,
) -> None:
    await set_inbox(workspace, assignee_only=True)
    bob, boss = await workspace.agent(), await workspace.agent(Role.ADMIN)
    session_id = await empty_session(await workspace.customer())
    await said(bob, session_id)
    response = await boss.send(session_id)
    assert refusal(response) == (409, "already_assigned")
    assert response.json()["assignee"] == {"type": "agent", "id": bob.id}


async def test_a_repeat_shows_the_message_as_it_is_now(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = await empty_session(customer)
    sent = await said(customer, session_id, "Helo", client_message_id="m-1")
    edited = (await edit(customer, sent, "Hello")).json()["message"]
    again = await customer.send(session_id, "Helo", client_message_id="m-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["message"] == edited


@pytest.mark.parametrize("known", ['"s1"', 'W/"s1"', '"s0", "s1"', "*"])
async def test_a_message_that_has_not_changed_is_not_sent_again(
    workspace: Workspace, known: str
) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    path, headers = path_of(sent["session_id"], sent["id"]), {"If-None-Match": known}
    response = await customer.get(path, headers=headers)
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == '"s1"'


async def test_a_message_that_has_changed_is_sent_again(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    await edit(customer, sent, "Other words")
    path = path_of(sent["session_id"], sent["id"])
    response = await customer.get(path, headers={"If-None-Match": '"s1"'})
    assert (response.status_code, response.headers["ETag"]) == (200, '"s2"')


async def test_one_message_takes_no_parameters(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    path = path_of(sent["session_id"], sent["id"])
    assert refusal(await customer.get(f"{path}?expand=author")) == (400, "unknown_parameter")


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Workspace]:
    """A workspace whose lane has one place beside the batch in flight."""
    config = config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path)
    async with started(attrs.evolve(config, limits=Limits(lane_drafts=1))) as service:
        async with client_of(service) as client:
            yield await build_workspace(service, client)


async def test_a_full_lane_refuses_a_send_at_once(narrow: Workspace) -> None:
    customer = await narrow.customer()
    session_id = await empty_session(customer)
    async with narrow.service.database.taking_turn():
        sends = [asyncio.create_task(customer.send(session_id)) for _ in range(3)]
        refused, waiting = await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
        assert {refusal(await each) for each in refused} == {(503, "overloaded")}
        assert {(await each).headers["Retry-After"] for each in refused} == {"1"}
    assert 201 in {(await each).status_code for each in waiting}
