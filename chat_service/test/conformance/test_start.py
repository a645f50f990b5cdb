"""Starting a session once: the promises 14 to 16."""

import asyncio

import pytest

from chat_service.test.builders import Json, Workspace, message, unique
from chat_service.test.conformance.acts import begin
from chat_service.test.conformance.conftest import Elsewhere

ROUNDS = 10


@pytest.mark.conformance(14)
@pytest.mark.parametrize("meanwhile", ["nothing", "the session was closed"])
@pytest.mark.parametrize("mode", ["create", "resume_or_create"])
async def test_repeated_session_start_returns_same_session_and_message(
    workspace: Workspace, mode: str, meanwhile: str
) -> None:
    customer = await workspace.customer()
    if mode == "resume_or_create":
        await customer.start("It was open before")
    body: Json = {"mode": mode, "client_session_id": unique(), "initial_message": message()}
    first = await begin(customer, **body)
    session_id = first.json()["session"]["id"]
    if meanwhile != "nothing":
        await customer.post(f"/v1/sessions/{session_id}/close")
    before = await customer.events(session_id)
    again = await begin(customer, **body)
    assert (first.status_code, again.status_code) == (201 if mode == "create" else 200, 200)
    assert again.json()["session"]["id"] == session_id
    assert again.json()["message"] == first.json()["message"]
    assert await customer.events(session_id) == before


@pytest.mark.conformance(15)
@pytest.mark.parametrize("same_message_id", [True, False])
async def test_client_session_id_with_other_first_message_is_422(
    workspace: Workspace, same_message_id: bool
) -> None:
    customer = await workspace.customer()
    body: Json = {"client_session_id": unique(), "initial_message": message("Hello")}
    session_id = (await begin(customer, **body)).json()["session"]["id"]
    other = message("Bye")
    if same_message_id:
        other["client_message_id"] = body["initial_message"]["client_message_id"]
    again = await begin(customer, **{**body, "initial_message": other})
    assert (again.status_code, again.json()["code"]) == (422, "client_session_id_reused")
    assert [each["content"]["text"] for each in await customer.messages(session_id)] == ["Hello"]


@pytest.mark.conformance(16)
async def test_session_start_in_two_tabs_at_once_gives_one_session(
    workspace: Workspace, on_nodes: Elsewhere
) -> None:
    customer = await workspace.customer()
    for _ in range(ROUNDS):
        tabs = on_nodes(customer)
        starts = (
            begin(tab, mode="resume_or_create", initial_message=message(text))
            for tab, text in zip(tabs, ("one", "two"), strict=True)
        )
        told = await asyncio.gather(*starts)
        assert sorted(answer.status_code for answer in told) == [200, 201]
        (session_id,) = {answer.json()["session"]["id"] for answer in told}
        said = await customer.messages(session_id)
        assert sorted(each["content"]["text"] for each in said) == ["one", "two"]
        await customer.post(f"/v1/sessions/{session_id}/close")
