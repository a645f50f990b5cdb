"""No body sets what the server sets: who wrote, when, in which order, for whom.

Seen elsewhere: a visitor's frame named its author, its time, and whether it was private.
"""

from typing import Any

import pytest

from chat_service.test.addresses import BODIES, Stage
from chat_service.test.backends import limited_to
from chat_service.test.builders import message
from chat_service.test.fields import followed, schema_of
from chat_service.test.snapshot import rows_of

OWNED: dict[str, Any] = {
    "author": {"type": "agent", "id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"},
    "author_type": "agent",
    "author_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "agent_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "assignee_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "inbox_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "session_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "workspace_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10",
    "created_at": "2020-01-01T00:00:00Z",
    "edited_at": "2020-01-01T00:00:00Z",
    "sent_at": "2020-01-01T00:00:00Z",
    "seq": 1,
    "public_seq": 1,
    "pos": 1,
    "version": 1,
    "status": "open",
    "role": "owner",
    "permissions": ["messages:write_note"],
    "is_admin": True,
    "private": True,
}


@limited_to("sqlite")
@pytest.mark.parametrize("field", OWNED)
@pytest.mark.asvs("8.2.3", "15.3.3")
@pytest.mark.api_top10("API3")
async def test_a_field_of_the_server_is_refused_in_every_body(stage: Stage, field: str) -> None:
    before = await rows_of(stage.workspace)
    for address, body in BODIES.items():
        if field in followed(schema_of(address)).get("properties", {}):
            continue  # there it is the caller's to say, if he may
        response = await stage.call(address, json={**body(stage), field: OWNED[field]})
        assert response.status_code == 422, address
        found = {item["pointer"]: item["code"] for item in response.json()["errors"]}
        assert found == {f"/{field}": "unknown_field"}
    assert await rows_of(stage.workspace) == before


@limited_to("sqlite")
@pytest.mark.parametrize("field", OWNED)
@pytest.mark.asvs("15.3.3")
@pytest.mark.api_top10("API3")
async def test_a_first_message_does_not_set_it_either(stage: Stage, field: str) -> None:
    before = await rows_of(stage.workspace)
    body = BODIES["POST /v1/sessions"](stage)
    body["initial_message"][field] = OWNED[field]
    response = await stage.call("POST /v1/sessions", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == f"/initial_message/{field}"
    assert await rows_of(stage.workspace) == before


@pytest.mark.parametrize("fields", [{"visibility": "internal"}, {"metadata": {"a": 1}}])
@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_a_customer_writes_no_note(stage: Stage, fields: Any) -> None:
    before = await rows_of(stage.workspace)
    sent = await stage.customer.send(stage.session_id, **fields)
    started = await stage.customer.post(
        "/v1/sessions", {"client_session_id": "mine", "initial_message": message(**fields)}
    )
    assert [sent.status_code, started.status_code] == [403, 403]
    assert await rows_of(stage.workspace) == before


async def test_a_message_is_of_who_sent_it(stage: Stage) -> None:
    for person, kind in ((stage.customer, "customer"), (stage.agent, "agent"), (stage.key, "bot")):
        sent = (await person.send(stage.session_id)).json()["message"]
        stored = (await stage.agent.messages(stage.session_id))[-1]
        assert stored["id"] == sent["id"]
        author = {"type": kind, "id": str(stored["author"]["id"])}
        assert author["id"].replace("-", "") == person.id.replace("-", "")
        assert stored["author"]["type"] == author["type"]
