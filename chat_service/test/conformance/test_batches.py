"""What shares a batch of the group commit, on the real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chat_service.app import Service
from chat_service.errors import ClientMessageIdReused, NotFound, ServiceError
from chat_service.events.group_commit import UNDIVIDED
from chat_service.messages.drafts import Sent
from chat_service.test.builders import Workspace, unique, writing
from chat_service.test.conformance.acts import draft_by, send_all
from chat_service.test.conformance.sqllog import watching

SENDERS = 64


@asynccontextmanager
async def only_once(service: Service, client_message_id: str) -> AsyncIterator[None]:
    """Let the database refuse a second message of that id, in whatever session."""
    name = f"poison_{unique()}"
    async with writing(service) as db:
        await db.execute(
            text(
                f"CREATE UNIQUE INDEX {name} ON chat_messages (workspace_id, client_message_id)"
                f" WHERE client_message_id = '{client_message_id}'"
            )
        )
    yield
    async with writing(service) as db:
        await db.execute(text(f"DROP INDEX {name}"))


async def test_drafts_of_one_turn_are_one_transaction(workspace: Workspace) -> None:
    service, customer = workspace.service, await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    drafts = [await draft_by(service, customer, session_id) for _ in range(UNDIVIDED)]
    with watching(service.database.engine) as sql:
        told = await send_all(service, drafts)
    assert [sent.row["seq"] for sent in told] == list(range(1, UNDIVIDED + 1))
    assert len(sql.writes()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"content": {"type": "text", "text": "🙂" * 4_096}},
        {"content": {"type": "text", "text": "x" * 12_288}, "public_metadata": {"a": "x" * 4_000}},
    ],
    ids=["words", "words and data"],
)
async def test_the_size_of_a_draft_counts_all_that_was_given(
    workspace: Workspace, fields: dict[str, Any]
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    draft = await draft_by(workspace.service, customer, session_id, **fields)
    assert 16_000 < draft.size < 18_000


@pytest.mark.conformance("bad_draft_fails_alone_in_its_batch")
async def test_bad_draft_fails_alone_in_its_batch(workspace: Workspace) -> None:
    service, customer = workspace.service, await workspace.customer()
    elsewhere, here = [(await customer.start(None))["session"]["id"] for _ in range(2)]
    poison = unique()
    await customer.send(elsewhere, client_message_id=poison)
    drafts = [await draft_by(service, customer, here) for _ in range(SENDERS)]
    drafts[40] = await draft_by(service, customer, here, client_message_id=poison)
    async with only_once(service, poison):
        told = await send_all(service, drafts)
        assert (await customer.send(here, client_message_id=poison)).status_code == 500
    assert isinstance(told.pop(40), IntegrityError)
    assert [sent.row["seq"] for sent in told] == list(range(1, SENDERS))
    healed = await customer.send(here, client_message_id=poison)
    assert healed.json()["message"]["seq"] == SENDERS


async def test_each_draft_of_a_batch_gets_its_own_answer(workspace: Workspace) -> None:
    service = workspace.service
    customer, stranger = await workspace.customer(), await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    drafts = [await draft_by(service, customer, session_id) for _ in range(4)]
    drafts[1] = await draft_by(service, stranger, session_id)
    drafts[2] = await draft_by(service, customer, session_id, reply_to_id=workspace.id)
    told = await send_all(service, drafts)
    assert isinstance(told[1], NotFound)
    assert isinstance(told[2], ServiceError) and told[2].code == "validation_failed"
    assert [told[place].row["seq"] for place in (0, 3)] == [1, 2]


@pytest.mark.conformance("repeat_inside_one_batch_gets_the_first_result")
async def test_repeat_inside_one_batch_gets_the_first_result(workspace: Workspace) -> None:
    service, customer = workspace.service, await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    once = await draft_by(service, customer, session_id)
    other = await draft_by(
        service,
        customer,
        session_id,
        client_message_id=once.client_message_id,
        content={"type": "text", "text": "Other words"},
    )
    with watching(service.database.engine) as sql:
        told = await send_all(service, [once, once, other, once])
    assert len(sql.writes()) == 1
    assert isinstance(told.pop(2), ClientMessageIdReused)
    assert [sent.repeated for sent in told if isinstance(sent, Sent)] == [False, True, True]
    assert {sent.row["id"] for sent in told} == {told[0].row["id"]}
    (stored,) = await customer.messages(session_id)
    assert stored["id"] == str(told[0].row["id"])


async def test_a_repeat_in_a_later_batch_gets_the_stored_message(workspace: Workspace) -> None:
    service, customer = workspace.service, await workspace.customer()
    session_id = (await customer.start(None))["session"]["id"]
    draft = await draft_by(service, customer, session_id)
    (first,) = await send_all(service, [draft])
    (again,) = await send_all(service, [draft])
    assert (first.repeated, again.repeated) == (False, True)
    assert again.row == first.row
