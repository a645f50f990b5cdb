"""Starting a session over HTTP: headers, codes, and where to follow the session from."""

from typing import Any

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Json, Workspace, message, unique
from chat_service.test.sessions.calls import show


async def test_201_says_where_the_session_is(workspace: Workspace) -> None:
    customer = await workspace.customer()
    response = await customer.post("/v1/sessions", {"client_session_id": unique()})
    session = response.json()["session"]
    assert response.status_code == 201
    assert response.headers["Location"] == f"/v1/sessions/{session['id']}"
    shown = await customer.get(response.headers["Location"])
    assert (shown.json()["session"], shown.headers["ETag"]) == (session, response.headers["ETag"])


async def test_a_repeat_answers_200_with_the_present_state(workspace: Workspace) -> None:
    customer, admin = await workspace.customer(), await workspace.agent(Role.ADMIN)
    body: Json = {"client_session_id": unique(), "initial_message": message()}
    first = (await customer.post("/v1/sessions", body)).json()
    session_id = first["session"]["id"]
    await admin.post(f"/v1/sessions/{session_id}/claim")
    response = await customer.post("/v1/sessions", body)
    assert (response.status_code, response.json()["message"]) == (200, first["message"])
    assert response.json()["session"] == await show(customer, session_id)
    assert response.json()["session"]["status"] == "open"


async def test_the_cursor_stands_behind_the_message(workspace: Workspace) -> None:
    customer = await workspace.customer()
    started = await customer.start()
    session_id = started["session"]["id"]
    await customer.send(session_id, "Next")
    events = await customer.events(session_id, after=started["cursor"])
    assert [event["data"]["message"]["content"]["text"] for event in events] == ["Next"]


@pytest.mark.parametrize("by_staff", [False, True])
async def test_the_cursor_of_a_repeat_stands_at_the_end_of_the_callers_log(
    workspace: Workspace, by_staff: bool
) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    person = key if by_staff else customer
    body: Json = {"client_session_id": unique(), "customer_id": customer.id}
    body["initial_message"] = message()
    session_id = (await person.post("/v1/sessions", body)).json()["session"]["id"]
    await key.send(session_id, visibility="internal")
    await customer.send(session_id)
    cursor = (await person.post("/v1/sessions", body)).json()["cursor"]
    assert cursor.split(".")[1] == ("s" if by_staff else "p")
    assert await person.events(session_id, after=cursor) == []


async def test_the_header_is_another_name_of_the_field(workspace: Workspace) -> None:
    customer, key = await workspace.customer(), unique()
    headers = {"Idempotency-Key": key}
    first = await customer.post("/v1/sessions", {}, headers=headers)
    again = await customer.post("/v1/sessions", {"client_session_id": key})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["session"]["id"] == again.json()["session"]["id"]


async def test_the_field_counts_where_both_are_given(workspace: Workspace) -> None:
    customer, name = await workspace.customer(), unique()
    headers = {"Idempotency-Key": "other"}
    first = await customer.post("/v1/sessions", {"client_session_id": name}, headers=headers)
    again = await customer.post("/v1/sessions", {"client_session_id": name})
    assert first.json()["session"]["id"] == again.json()["session"]["id"]


async def test_a_start_without_an_id_is_400(workspace: Workspace) -> None:
    response = await (await workspace.customer()).post("/v1/sessions", {})
    assert (response.status_code, response.json()["code"]) == (400, "client_session_id_missing")


async def test_a_first_message_needs_an_id_of_its_own(workspace: Workspace) -> None:
    first = message()
    del first["client_message_id"]
    body = {"client_session_id": unique(), "initial_message": first}
    response = await (await workspace.customer()).post("/v1/sessions", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/initial_message/client_message_id"


@pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 65, "a\n"])
async def test_refuses_an_id_in_the_body_that_is_none(workspace: Workspace, name: str) -> None:
    response = await (await workspace.customer()).post("/v1/sessions", {"client_session_id": name})
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("name", ["", "a b", "x" * 65])
async def test_refuses_an_id_in_the_header_that_is_none(workspace: Workspace, name: str) -> None:
    response = await (await workspace.customer()).post(
        "/v1/sessions", {}, headers={"Idempotency-Key": name}
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")


async def test_an_id_of_all_its_characters_is_one(workspace: Workspace) -> None:
    customer = await workspace.customer()
    response = await customer.post("/v1/sessions", {"client_session_id": "aZ09_.:-" * 8})
    assert response.status_code == 201


WRONG: list[Json] = [
    {"mode": "join"},
    {"status": "open"},
    {"workspace_id": unique()},
    {"inbox_id": unique()},
    {"assignee": {"type": "agent", "id": unique()}},
    {"customer_id": "1"},
    {"subject": 5},
    {"subject": ""},
    {"initial_message": "Hello"},
    {"initial_message": message(author={"type": "agent"})},
    {"initial_message": message(seq=1)},
]


@pytest.mark.parametrize("fields", WRONG)
@pytest.mark.asvs("2.2.1", "15.3.3")
@pytest.mark.api_top10("API3")
async def test_refuses_fields_that_are_unknown_or_wrong(
    workspace: Workspace, fields: dict[str, Any]
) -> None:
    customer = await workspace.customer()
    body = {"client_session_id": unique(), **fields}
    response = await customer.post("/v1/sessions", body)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert (await customer.get("/v1/sessions")).json()["data"] == []


@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_a_customer_may_not_begin_with_a_note(workspace: Workspace) -> None:
    body = {"client_session_id": unique(), "initial_message": message(visibility="internal")}
    response = await (await workspace.customer()).post("/v1/sessions", body)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
