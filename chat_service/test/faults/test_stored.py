"""The rows of a real conversation are read as they are stored, and nothing is found wrong."""

from dataclasses import replace
from uuid import UUID

from chat_service.test.builders import Json, Workspace
from chat_service.test.faults.history import Claim, History, Page, Send, check
from chat_service.test.faults.records import Viewer
from chat_service.test.faults.stored import read_history


def of(workspace: Workspace, session_id: UUID, history: History) -> History:
    """What is of one workspace, which has one session; others are in the database as well."""
    return replace(
        history,
        messages=tuple(row for row in history.messages if row.session_id == session_id),
        events=tuple(row for row in history.events if row.workspace_id == workspace.id),
        sessions=tuple(row for row in history.sessions if row.id == session_id),
    )


def sent(message: Json, slot: str) -> Send:
    """What the sender of a message was told, who is no customer unless the slot says so."""
    return Send(
        UUID(message["session_id"]),
        slot,
        message["client_message_id"],
        began=0,
        ended=1,
        seq=message["seq"] if "public_seq" in message else None,
        public_seq=message.get("public_seq", message["seq"]),
        message_id=UUID(message["id"]),
    )


def shown(session_id: UUID, viewer: Viewer, messages: list[Json]) -> Page:
    """A page of messages as somebody was shown it."""
    entries = tuple((message["seq"], UUID(message["id"])) for message in messages)
    return Page(session_id, viewer, "messages", 2, 3, None, entries, str(messages))


async def test_reads_what_a_conversation_left(workspace: Workspace, database_url: str) -> None:
    customer, agent = await workspace.customer(), await workspace.agent()
    started = await customer.start("Where is my parcel?")
    session_id = UUID(started["session"]["id"])
    await agent.post(f"/v1/sessions/{session_id}/claim")
    note = await agent.send(str(session_id), "He is angry", visibility="internal")
    answer = await agent.send(str(session_id), "On its way")
    stored = of(workspace, session_id, await read_history(database_url))

    numbers = {(row.seq, row.public_seq) for row in stored.messages}
    assert numbers == {(1, 1), (4, None), (5, 4)}
    assert [row.assignee for row in stored.events if row.assignee] == [(None, UUID(agent.id))]
    slot = f"agent:{agent.id}"
    history = replace(
        stored,
        sends=(
            sent(started["message"], "customer"),
            *(sent(response.json()["message"], slot) for response in (note, answer)),
        ),
        claims=(Claim(session_id, UUID(agent.id)),),
        pages=(
            shown(session_id, "customer", await customer.messages(str(session_id))),
            shown(session_id, "staff", await agent.messages(str(session_id))),
        ),
    )
    assert check(history) == []
