"""Sending and reading one message: what is taken, what is refused, what is answered."""

import re
from typing import Any

import pytest

from chat_service.schema import Permission, Role
from chat_service.test.builders import Json, Workspace, message
from chat_service.test.messages.talk import (
    empty_session,
    path_of,
    pointed_at,
    read,
    refusal,
    said,
)

CUSTOMER_FIELDS = {
    "object",
    "id",
    "session_id",
    "seq",
    "client_message_id",
    "author",
    "visibility",
    "content",
    "reply_to_id",
    "public_metadata",
    "version",
    "created_at",
    "edited_at",
    "deleted_at",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
KIB_16 = 16 * 1024


async def test_a_sent_message_is_answered_as_it_is_stored(workspace: Workspace) -> None:
    customer = await workspace.customer("Ada")
    session_id = await empty_session(customer)
    response = await customer.send(session_id, "Hello", client_message_id="m-1")
    sent = response.json()["message"]
    assert response.status_code == 201
    assert response.headers["Location"] == path_of(session_id, sent["id"])
    assert response.headers["ETag"] == '"s1"'
    assert set(sent) == CUSTOMER_FIELDS and TIME.fullmatch(sent["created_at"])
    assert sent["author"] == {"type": "customer", "id": customer.id, "display_name": "Ada"}
    assert sent["content"] == {"type": "text", "text": "Hello", "format": "plain"}
    assert await read(customer, sent) == sent


async def test_the_cursor_of_a_send_stands_behind_it_in_the_log(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    for person in (customer, key):
        cursor = (await person.send(session_id)).json()["cursor"]
        assert await person.events(session_id, after=cursor) == []
        await person.send(session_id, "Next")
        (event,) = await person.events(session_id, after=cursor)
        assert event["data"]["message"]["content"]["text"] == "Next"


async def test_staff_see_both_numbers_and_their_own_data(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    sent = await said(key, session_id, metadata={"order": 17})
    assert set(sent) == CUSTOMER_FIELDS | {"public_seq", "metadata"}
    assert sent["metadata"] == {"order": 17}
    assert set(await read(customer, sent)) == CUSTOMER_FIELDS


async def test_each_author_is_named(workspace: Workspace) -> None:
    customer, key = await workspace.customer("Ada"), await workspace.key()
    agent = await workspace.agent(Role.ADMIN, "Bob")
    session_id = await empty_session(customer)
    authors = [(await said(each, session_id))["author"] for each in (customer, agent, key)]
    assert [(author["type"], author["display_name"]) for author in authors] == [
        ("customer", "Ada"),
        ("agent", "Bob"),
        ("bot", "Integration"),
    ]
    assert [each["author"] for each in await customer.messages(session_id)] == authors


async def test_the_header_idempotency_key_is_another_name_of_the_id(workspace: Workspace) -> None:
    customer = await workspace.customer()
    path = path_of(await empty_session(customer))
    body = message()
    key = body.pop("client_message_id")
    first = await customer.post(path, body, headers={"Idempotency-Key": key})
    again = await customer.post(path, {**body, "client_message_id": key})
    assert first.json()["message"]["client_message_id"] == key
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


async def test_of_header_and_field_the_field_counts(workspace: Workspace) -> None:
    customer = await workspace.customer()
    body, headers = message(), {"Idempotency-Key": "another"}
    sent = await customer.post(path_of(await empty_session(customer)), body, headers=headers)
    assert sent.json()["message"]["client_message_id"] == body["client_message_id"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "client_message_id_missing"), ({"Idempotency-Key": "no spaces"}, "invalid_parameter")],
)
async def test_a_message_needs_an_id_of_its_client(
    workspace: Workspace, headers: dict[str, str], code: str
) -> None:
    customer = await workspace.customer()
    body = message()
    del body["client_message_id"]
    path = path_of(await empty_session(customer))
    assert refusal(await customer.post(path, body, headers=headers)) == (400, code)


WRONG_BODIES: dict[str, tuple[Json, str]] = {
    "id with a space": ({"client_message_id": "a b"}, "/client_message_id"),
    "id too long": ({"client_message_id": "x" * 65}, "/client_message_id"),
    "id not of ASCII": ({"client_message_id": "ü"}, "/client_message_id"),
    "id that is a number": ({"client_message_id": 5}, "/client_message_id"),
    "empty text": ({"content": {"type": "text", "text": ""}}, "/content/text"),
    "NUL in the text": ({"content": {"type": "text", "text": "a\0b"}}, "/content/text"),
    "no text": ({"content": {"type": "text"}}, "/content/text"),
    "unknown content": ({"content": {"type": "file", "text": "a"}}, "/content/type"),
    "unknown format": (
        {"content": {"type": "text", "text": "a", "format": "html"}},
        "/content/format",
    ),
    "more in the content": (
        {"content": {"type": "text", "text": "a", "code": 1}},
        "/content/code",
    ),
    "an author": ({"author": {"type": "agent"}}, "/author"),
    "a number": ({"seq": 1}, "/seq"),
    "unknown visibility": ({"visibility": "secret"}, "/visibility"),
    "answer to no id": ({"reply_to_id": "first"}, "/reply_to_id"),
    "nested data": ({"public_metadata": {"a": {"b": 1}}}, "/public_metadata/a"),
    "NUL in data": ({"public_metadata": {"a": "\0"}}, "/public_metadata/a"),
    "data that is a list": ({"public_metadata": []}, "/public_metadata"),
}


@pytest.mark.parametrize(("fields", "pointer"), WRONG_BODIES.values(), ids=list(WRONG_BODIES))
async def test_a_wrong_field_is_named(workspace: Workspace, fields: Json, pointer: str) -> None:
    customer = await workspace.customer()
    session_id = await empty_session(customer)
    response = await customer.post(path_of(session_id), {**message(), **fields})
    assert refusal(response) == (422, "validation_failed")
    assert [found for found, _ in pointed_at(response)] == [pointer]
    assert await customer.messages(session_id) == []


@pytest.mark.parametrize(
    ("raw", "media_type", "refused"),
    [
        (b"{", "application/json", (400, "malformed_body")),
        (b"{}", "text/plain", (415, "unsupported_media_type")),
        (b'{"client_message_id":"\\ud800"}', "application/json", (422, "validation_failed")),
        (b'"' + b"x" * 100_000 + b'"', "application/json", (413, "body_too_large")),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    workspace: Workspace, raw: bytes, media_type: str, refused: tuple[int, str]
) -> None:
    customer = await workspace.customer()
    path = path_of(await empty_session(customer))
    response = await customer.call("POST", path, content=raw, headers={"Content-Type": media_type})
    assert refusal(response) == refused


@pytest.mark.parametrize("text", ["x" * KIB_16, "é" * (KIB_16 // 2), "🙂" * (KIB_16 // 4)])
async def test_a_text_has_at_most_16_kib(workspace: Workspace, text: str) -> None:
    customer = await workspace.customer()
    session_id = await empty_session(customer)
    assert (await said(customer, session_id, text))["content"]["text"] == text
    response = await customer.send(session_id, f"{text}x")
    assert refusal(response) == (422, "validation_failed")
    assert pointed_at(response) == [("/content/text", "too_long")]


@pytest.mark.parametrize("name", ["metadata", "public_metadata"])
async def test_data_has_at_most_4_kib(workspace: Workspace, name: str) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await empty_session(customer)
    text = "x" * (4096 - len('{"a":""}'))
    for value, status in ((text, 201), (f"{text}x", 422)):
        response = await key.post(path_of(session_id), {**message(), name: {"a": value}})
        assert response.status_code == status
    assert pointed_at(response) == [(f"/{name}", "too_long")]


async def test_everything_too_long_is_named_at_once(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    long: Any = {"metadata": {"a": "x" * 5000}, "public_metadata": {"a": "x" * 5000}}
    response = await key.send(await empty_session(customer), "x" * (KIB_16 + 1), **long)
    assert [pointer for pointer, _ in pointed_at(response)] == [
        "/content/text",
        "/metadata",
        "/public_metadata",
    ]


async def test_data_is_kept_as_it_was_given(workspace: Workspace) -> None:
    customer = await workspace.customer()
    data = {"page": "/cart", "items": 3, "price": 9.5, "member": True, "coupon": None}
    sent = await said(customer, await empty_session(customer), public_metadata=data)
    assert (await read(customer, sent))["public_metadata"] == data


@pytest.mark.parametrize("fields", [{"metadata": {"a": 1}}, {"visibility": "internal"}])
async def test_customers_write_neither_notes_nor_staff_data(
    workspace: Workspace, fields: Json
) -> None:
    customer = await workspace.customer()
    response = await customer.send(await empty_session(customer), **fields)
    assert refusal(response) == (403, "forbidden")


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        (Permission.MESSAGES_WRITE, "public", "internal"),
        (Permission.MESSAGES_WRITE_NOTE, "internal", "public"),
    ],
)
async def test_a_key_writes_what_its_scopes_say(
    workspace: Workspace, scope: Permission, allowed: str, refused: str
) -> None:
    session_id = await empty_session(await workspace.customer())
    key = await workspace.key([Permission.SESSIONS_READ_ALL, scope])
    assert (await key.send(session_id, visibility=allowed)).status_code == 201
    assert refusal(await key.send(session_id, visibility=refused)) == (403, "forbidden")
