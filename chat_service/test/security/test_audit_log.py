"""The log of who did what: one entry for each privileged act, and no code that changes one."""

import re
from typing import Any

import httpx2
import pytest

from chat_service.schema import Role
from chat_service.test.addresses import Stage, in_turn
from chat_service.test.audit import acts_of
from chat_service.test.builders import ORIGIN, Json, Person
from chat_service.test.conformance.sqllog import watching

OTHER_ORIGIN = "https://other.example.org"
ACTS: list[tuple[str, Json, str, str, list[str]]] = [
    ("PATCH /v1/workspace", {"name": "Canary"}, "workspace.updated", "workspace", ["name"]),
    (
        "POST /v1/inboxes",
        {"name": "Canary", "allowed_origins": [OTHER_ORIGIN]},
        "inbox.created",
        "inbox",
        ["allowed_origins", "assignee_only", "name", "reopen_seconds", "reply_claims"],
    ),
    (
        "PATCH /v1/inboxes/{inbox_id}",
        {"name": "Canary", "allowed_origins": [OTHER_ORIGIN], "reply_claims": True},
        "inbox.updated",
        "inbox",
        ["allowed_origins", "name"],
    ),
    (
        "POST /v1/api-keys",
        {"name": "Canary", "role": "bot"},
        "api_key.created",
        "api_key",
        ["expires_at", "name", "scopes"],
    ),
    ("DELETE /v1/api-keys/{key_id}", {}, "api_key.revoked", "api_key", []),
]
"""What is done, and the entry it leaves: the act, what it was done to, and the names of fields."""


async def entries(stage: Stage) -> list[Any]:
    """All entries of the stage's workspace."""
    return list(await acts_of(stage.workspace.service, stage.workspace.id))


async def by(person: Person, stage: Stage, address: str, body: Json) -> httpx2.Response:
    """What somebody is answered who does something."""
    rest: Json = {"json": body} if body else {}
    return await person.call(address.partition(" ")[0], stage.path(address), **rest)


@pytest.mark.parametrize(("address", "body", "act", "noun", "fields"), ACTS)
@pytest.mark.asvs("16.2.1")
async def test_a_privileged_act_leaves_one_entry_with_names_and_no_values(
    stage: Stage, address: str, body: Json, act: str, noun: str, fields: list[str]
) -> None:
    before = len(await entries(stage))
    done = await by(stage.agent, stage, address, body)
    assert done.is_success, done.text
    (entry,) = (await entries(stage))[before:]
    assert (entry.action, entry.outcome, entry.target_type) == (act, "done", noun)
    assert entry.fields == fields
    assert (str(entry.actor_id), entry.token_id.hex) == (
        stage.agent.id,
        stage.agent.token.split("_")[2],
    )
    assert entry.request_id == done.headers["Request-Id"]
    written = " ".join(str(value) for value in vars(entry).values())
    assert "Canary" not in written and ORIGIN not in written and OTHER_ORIGIN not in written


@pytest.mark.parametrize(("address", "body"), [(act[0], act[1]) for act in ACTS])
async def test_an_act_that_changes_nothing_or_is_refused_leaves_none(
    stage: Stage, address: str, body: Json
) -> None:
    viewer = await stage.workspace.agent(Role.VIEWER)
    await by(stage.agent, stage, address, body)
    before = len(await entries(stage))
    assert (await by(viewer, stage, address, body)).status_code == 403
    if not address.startswith("POST"):
        assert (await by(stage.agent, stage, address, body)).is_success
    assert len(await entries(stage)) == before


@pytest.mark.asvs("16.4.2")
async def test_entries_are_inserted_and_read_and_never_changed(stage: Stage) -> None:
    with watching(stage.workspace.service.database.engine) as sql:
        for address in in_turn():
            await stage.call(address)
        await stage.agent.get("/v1/audit-entries")
    about = [each for each in sql.statements if re.search(r"\baudit_entries\b", each)]
    assert {each.split()[0] for each in about} == {"INSERT", "SELECT"}
    assert not [each for each in sql.statements if re.match("TRUNCATE|DROP|ALTER", each)]
