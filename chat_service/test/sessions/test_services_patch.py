"""Free fields of a session: changed by merge patch, recorded only where something changed."""

from typing import Any

import pytest

from chat_service.schema import Permission, Role
from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.sessions.calls import newest_event, show, types, waiting


async def patch(person: Person, session_id: str, **fields: Any) -> Json:
    """The session after a change."""
    response = await person.call("PATCH", f"/v1/sessions/{session_id}", json=fields)
    assert response.status_code == 200, response.text
    session: Json = response.json()["session"]
    return session


async def refusal(person: Person, session_id: str, **fields: Any) -> Json:
    """The problem of a refused change."""
    response = await person.call("PATCH", f"/v1/sessions/{session_id}", json=fields)
    assert response.status_code >= 400, response.text
    problem: Json = response.json()
    return problem


async def test_fields_that_are_left_out_stay_and_null_clears(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    await patch(admin, session_id, subject="Late", priority="high", tags=["vip"])
    session = await patch(admin, session_id, priority=None)
    assert (session["subject"], session["priority"], session["tags"]) == ("Late", None, ["vip"])
    session = await patch(admin, session_id, subject=None, tags=None, custom_attributes=None)
    assert (session["subject"], session["tags"], session["custom_attributes"]) == (None, [], {})


async def a_session(workspace: Workspace) -> str:
    """A session of a new customer."""
    return await waiting(await workspace.customer())


async def test_attributes_are_merged_and_null_removes_one(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    await patch(admin, session_id, custom_attributes={"order": 17, "paid": True})
    session = await patch(admin, session_id, custom_attributes={"order": None, "shop": "Bonn"})
    assert session["custom_attributes"] == {"paid": True, "shop": "Bonn"}


async def test_values_that_only_look_equal_are_changes(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    await patch(admin, session_id, custom_attributes={"paid": 1})
    session = await patch(admin, session_id, custom_attributes={"paid": True})
    assert session["custom_attributes"]["paid"] is True


async def test_a_change_is_recorded_by_the_names_of_what_changed(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    await patch(admin, session_id, priority="low", tags=["vip"])
    await patch(admin, session_id, subject="Words", priority="urgent", tags=["vip"])
    event = await newest_event(admin, session_id, "session.updated")
    assert event["data"]["changed"] == ["priority", "subject"]
    assert event["data"]["changes"] == {"priority": ["low", "urgent"]}


async def test_a_change_to_the_same_is_none(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    fields: Json = {"subject": "Late", "tags": ["a", "b"], "custom_attributes": {"x": 1}}
    first = await patch(admin, session_id, **fields)
    assert await patch(admin, session_id, **fields) == first
    assert await patch(admin, session_id) == first
    assert await patch(admin, session_id, custom_attributes={"y": None}) == first
    assert (await types(admin, session_id)).count("session.updated") == 1


async def test_customers_see_a_new_subject_and_nothing_else(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    before = await show(customer, session_id)
    await patch(admin, session_id, priority="low", tags=["vip"], custom_attributes={"x": 1})
    assert await show(customer, session_id) == before
    assert await types(customer, session_id) == ["message.created"]
    await patch(admin, session_id, subject="Late", priority="high")
    event = await newest_event(customer, session_id, "session.updated")
    assert event["data"]["changed"] == ["subject"]
    assert event["data"]["changes"] == {}
    assert event["data"]["session"]["subject"] == "Late"


async def test_a_tag_stands_once_in_the_order_given(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    session = await patch(admin, session_id, tags=["b", "a", "b", "B"])
    assert session["tags"] == ["b", "a", "B"]


WRONG: list[tuple[Json, str, str]] = [
    ({"status": "closed"}, "/status", "unknown_field"),
    ({"version": 7}, "/version", "unknown_field"),
    ({"assignee_id": None}, "/assignee_id", "unknown_field"),
    ({"subject": ""}, "/subject", "too_short"),
    ({"subject": "x" * 201}, "/subject", "too_long"),
    ({"subject": 5}, "/subject", "wrong_type"),
    ({"subject": "a\0b"}, "/subject", "nul_character"),
    ({"priority": "highest"}, "/priority", "unknown_value"),
    ({"tags": ["x" * 129]}, "/tags/0", "too_long"),
    ({"tags": ["ü" * 65]}, "/tags/0", "too_long"),
    ({"tags": "vip"}, "/tags", "wrong_type"),
    ({"tags": [str(number) for number in range(51)]}, "/tags", "too_long"),
    ({"custom_attributes": {"x": "y" * 5000}}, "/custom_attributes", "too_long"),
    ({"custom_attributes": []}, "/custom_attributes", "wrong_type"),
]


@pytest.mark.parametrize(("fields", "pointer", "code"), WRONG)
async def test_refuses_wrong_values_and_names_each(
    workspace: Workspace, fields: Json, pointer: str, code: str
) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    problem = await refusal(admin, session_id, **fields)
    assert (problem["status"], problem["code"]) == (422, "validation_failed")
    assert [(item["pointer"], item["code"]) for item in problem["errors"]] == [(pointer, code)]
    assert await types(admin, session_id) == ["message.created"]


@pytest.mark.parametrize("value", [{}, {"deep": 1}, [1], 2**53 + 1])
async def test_attributes_are_flat_and_their_numbers_exact(
    workspace: Workspace, value: object
) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    problem = await refusal(admin, session_id, custom_attributes={"x": value})
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"].startswith("/custom_attributes/x")


async def test_attributes_cannot_grow_beyond_their_size_by_merging(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    await patch(admin, session_id, custom_attributes={"a": "x" * 3000})
    problem = await refusal(admin, session_id, custom_attributes={"b": "x" * 3000})
    assert problem["errors"][0]["pointer"] == "/custom_attributes"
    assert list((await show(admin, session_id))["custom_attributes"]) == ["a"]


async def test_only_staff_with_the_permission_may_change(workspace: Workspace) -> None:
    customer, viewer = await workspace.customer(), await workspace.agent(Role.VIEWER)
    key = await workspace.key(set(Permission) - {Permission.SESSIONS_WRITE})
    session_id = await waiting(customer)
    for nobody in (customer, viewer, key):
        assert (await refusal(nobody, session_id, subject="Mine"))["code"] == "forbidden"
