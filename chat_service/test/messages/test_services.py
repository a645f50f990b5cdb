"""Editing and deleting: by whom, how long, under which condition, and what is left."""

import asyncio

import httpx2
import pytest

from chat_service.schema import Role
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.messages.talk import (
    delete,
    edit,
    empty_session,
    pointed_at,
    read,
    refusal,
    said,
)

WINDOW = 900


async def types(person: Person, session_id: str) -> list[str]:
    """What happened in a session."""
    return [event["type"] for event in await person.events(session_id)]


async def test_the_author_edits_his_words(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer), "Helo")
    response = await edit(customer, sent, "Hello")
    edited = response.json()["message"]
    assert (response.status_code, response.headers["ETag"]) == (200, '"s2"')
    assert edited["content"] == {"type": "text", "text": "Hello", "format": "plain"}
    assert edited == {
        **sent,
        "content": edited["content"],
        "version": 2,
        "edited_at": edited["edited_at"],
    }
    assert edited["edited_at"] >= sent["created_at"]
    assert await read(customer, sent) == edited


async def test_an_edit_is_an_event_with_the_message_as_it_is(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer), "Helo")
    edited = (await edit(customer, sent, "Hello")).json()["message"]
    event = (await customer.events(sent["session_id"]))[-1]
    assert (event["type"], event["seq"]) == ("message.updated", 2)
    assert event["data"] == {"message": edited, "changed": ["content"]}


async def test_the_same_words_again_change_nothing(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer), "Hello")
    assert (await edit(customer, sent, "Hello")).json()["message"] == sent
    assert await types(customer, sent["session_id"]) == ["message.created"]


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_only_the_author_edits(workspace: Workspace) -> None:
    customer, boss = await workspace.customer(), await workspace.agent(Role.ADMIN)
    session_id = await empty_session(customer)
    asked, answered = await said(customer, session_id), await said(boss, session_id)
    assert refusal(await edit(boss, asked, "Bye")) == (403, "forbidden")
    assert refusal(await edit(customer, answered, "Bye")) == (403, "forbidden")


async def test_a_message_is_edited_inside_its_window(
    workspace: Workspace, clock: TurningClock
) -> None:
    key = await workspace.key()
    sent = await said(key, await empty_session(await workspace.customer()))
    clock.turn(seconds=WINDOW - 60)
    assert (await edit(key, sent, "Still time")).status_code == 200
    clock.turn(seconds=61)
    assert refusal(await edit(key, sent, "Too late")) == (403, "edit_window_passed")
    assert (await read(key, sent))["content"]["text"] == "Still time"


async def test_an_edit_is_bounded_as_a_send_is(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    response = await edit(customer, sent, "x" * (16 * 1024 + 1))
    assert pointed_at(response) == [("/content/text", "too_long")]
    assert pointed_at(await edit(customer, sent, "")) == [("/content/text", "too_short")]


@pytest.mark.parametrize("change", ["edit", "delete"])
@pytest.mark.parametrize("expected", ['"s2"', '"s1", "s2"', "*"])
async def test_a_change_of_the_expected_version_is_made(
    workspace: Workspace, change: str, expected: str
) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer), "Helo")
    await edit(customer, sent, "Hello")
    assert (await _change(customer, sent, change, expected)).status_code in (200, 204)


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_a_change_of_another_version_is_412_with_the_present_one(
    workspace: Workspace, change: str
) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer), "Helo")
    edited = (await edit(customer, sent, "Hello")).json()["message"]
    response = await _change(customer, sent, change, '"s1"')
    assert refusal(response) == (412, "precondition_failed")
    assert response.headers["ETag"] == '"s2"'
    assert response.json()["current"] == await read(customer, sent) == edited


async def _change(person: Person, message: Json, change: str, expected: str) -> httpx2.Response:
    headers = {"If-Match": expected}
    if change == "edit":
        return await edit(person, message, "Hello!", headers=headers)
    return await delete(person, message, headers=headers)


async def test_of_two_edits_of_one_version_one_is_made(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    edits = (edit(customer, sent, text, headers={"If-Match": '"s1"'}) for text in ("a", "b"))
    told = await asyncio.gather(*edits)
    assert sorted(answer.status_code for answer in told) == [200, 412]
    assert (await read(customer, sent))["version"] == 2


async def test_a_deleted_message_leaves_a_tombstone_with_its_numbers(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    sent = await said(key, session_id, "Oops", metadata={"a": 1}, public_metadata={"b": 2})
    response = await delete(key, sent)
    assert (response.status_code, response.content) == (204, b"")
    left = await read(key, sent)
    assert (left["content"], left["metadata"], left["public_metadata"]) == (None, {}, {})
    assert left["deleted_at"] is not None and left["version"] == 2
    assert (left["seq"], left["public_seq"]) == (sent["seq"], sent["public_seq"])
    assert [each["id"] for each in await customer.messages(session_id)] == [sent["id"]]


async def test_no_reader_finds_the_words_of_a_deleted_message(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    sent = await said(customer, await empty_session(customer), "my secret")
    await delete(customer, sent)
    session = f"/v1/sessions/{sent['session_id']}"
    for person in (customer, key):
        for path in ("/v1/sessions", session, f"{session}/messages", f"{session}/events"):
            assert "my secret" not in (await person.get(path)).text
    assert "my secret" not in (await key.get("/v1/events")).text


async def test_a_deletion_is_an_event_and_its_repeat_is_none(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    assert [(await delete(customer, sent)).status_code for _ in range(2)] == [204, 204]
    assert await types(customer, sent["session_id"]) == ["message.created", "message.deleted"]


async def test_a_deleted_message_is_edited_no_more(workspace: Workspace) -> None:
    customer = await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    await delete(customer, sent)
    assert refusal(await edit(customer, sent, "Back")) == (404, "not_found")


async def test_a_repeat_of_a_deleted_message_gets_the_tombstone(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = await empty_session(customer)
    sent = await said(customer, session_id, client_message_id="m-1")
    await delete(customer, sent)
    for text in ("Hello", "Other words"):
        again = await customer.send(session_id, text, client_message_id="m-1")
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert again.json()["message"] == await read(customer, sent)


@pytest.mark.parametrize(
    ("role", "status"), [(Role.AGENT, 403), (Role.SUPERVISOR, 204), (Role.ADMIN, 204)]
)
async def test_who_may_delete_what_others_wrote(
    workspace: Workspace, role: Role, status: int
) -> None:
    customer, agent = await workspace.customer(), await workspace.agent(role)
    sent = await said(customer, await empty_session(customer))
    assert (await delete(agent, sent)).status_code == status
    assert ((await read(customer, sent))["content"] is None) == (status == 204)


async def test_a_customer_deletes_his_own_words_alone(workspace: Workspace) -> None:
    customer, bob = await workspace.customer(), await workspace.agent()
    session_id = await empty_session(customer)
    answer = await said(bob, session_id)
    assert refusal(await delete(customer, answer)) == (403, "forbidden")


async def test_the_author_deletes_inside_the_window_and_a_supervisor_later(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer, bob = await workspace.customer(), await workspace.agent()
    boss = await workspace.agent(Role.SUPERVISOR)
    sent = await said(bob, await empty_session(customer))
    clock.turn(seconds=WINDOW + 1)
    assert refusal(await delete(bob, sent)) == (403, "edit_window_passed")
    assert (await delete(boss, sent)).status_code == 204
    assert (await delete(bob, sent)).status_code == 204, "it is done already"


async def test_changes_of_a_note_are_for_staff_alone(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    note = await said(key, session_id, visibility="internal")
    await edit(key, note, "Other words")
    await delete(key, note)
    assert await types(customer, session_id) == []
    assert [(event["type"], event["public_seq"]) for event in await key.events(session_id)] == [
        ("message.created", None),
        ("message.updated", None),
        ("message.deleted", None),
    ]


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_change_in_a_session_one_may_not_see_is_not_found(workspace: Workspace) -> None:
    customer, stranger = await workspace.customer(), await workspace.customer()
    sent = await said(customer, await empty_session(customer))
    assert refusal(await edit(stranger, sent, "Mine")) == (404, "not_found")
    assert refusal(await delete(stranger, sent)) == (404, "not_found")
