"""The second factor: set, asked for, each code once, few of them tried, and removed."""

import asyncio
from collections import Counter
from dataclasses import replace
from math import log2

import pytest
from sqlalchemy import select

from chat_service.agents import totp
from chat_service.app import create_app
from chat_service.model import Agent
from chat_service.schema import Role, utc_now
from chat_service.test.agents.lives import (
    CHOSEN,
    audited,
    code_at,
    code_of,
    enter,
    person_of,
    protect,
    works,
)
from chat_service.test.builders import PASSWORD, Person, Workspace, writing
from chat_service.test.events.apart import client_of
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row

WRONG = (400, "invalid_grant")
LIMITED = (429, "too_many_tries")
AT_ONCE = 200
REQUIRED = (400, "second_factor_required")
PATH = "/v1/agents/me/second-factor"


@pytest.fixture
async def bob(workspace: Workspace) -> Person:
    """An agent who sets a second factor."""
    return await workspace.agent()


@pytest.mark.asvs("2.3.1")
async def test_nothing_asks_for_a_code_before_one_was_shown(
    workspace: Workspace, bob: Person
) -> None:
    begun = (await bob.post(PATH, {"password": PASSWORD})).json()
    assert begun["otpauth_uri"].startswith("otpauth://totp/chat-service:")
    assert f"secret={begun['secret']}" in begun["otpauth_uri"]
    assert (await enter(workspace, bob)).status_code == 200
    again = (await bob.post(PATH, {"password": PASSWORD})).json()
    old = {"code": code_at(begun["secret"], workspace.service.clock)}
    new = {"code": code_at(again["secret"], workspace.service.clock)}
    assert code_of(await bob.post(f"{PATH}/confirm", old)) == WRONG
    confirmed = await bob.post(f"{PATH}/confirm", new)
    codes = confirmed.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert code_of(await enter(workspace, bob)) == REQUIRED
    assert await works(bob)


@pytest.mark.asvs("2.3.1", "7.5.1")
@pytest.mark.api_top10("API2")
async def test_a_password_is_needed_to_begin(workspace: Workspace, bob: Person) -> None:
    assert code_of(await bob.post(PATH, {"password": "wrong"})) == WRONG
    assert code_of(await bob.post(f"{PATH}/confirm", {"code": "123456"})) == (
        409,
        "second_factor_off",
    )
    await protect(workspace, bob)
    for body, path in (({"password": PASSWORD}, PATH), ({"code": "123456"}, f"{PATH}/confirm")):
        assert code_of(await bob.post(path, body)) == (409, "second_factor_on")


async def test_neither_secret_nor_codes_are_stored_in_clear(
    workspace: Workspace, bob: Person
) -> None:
    factor = await protect(workspace, bob)
    async with writing(workspace.service) as db:
        query = select(Agent).where(Agent.workspace_id == workspace.id, Agent.email.is_not(None))
        rows = [str(vars(row)) for row in (await db.scalars(query)).all()]
    assert not [row for row in rows for code in factor.recovery_codes if totp.plain(code) in row]
    assert not [row for row in rows if factor.secret in row]


@pytest.mark.asvs("6.5.1", "6.5.8")
@pytest.mark.api_top10("API2")
async def test_a_code_is_good_once_and_for_a_step_around(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    factor = await protect(workspace, bob)
    used = code_at(factor.secret, clock, -1)
    assert code_of(await enter(workspace, bob, code=used)) == WRONG, "it confirmed the factor"
    assert (await enter(workspace, bob, code=factor.code())).status_code == 200
    assert code_of(await enter(workspace, bob, code=factor.code())) == WRONG
    assert (await enter(workspace, bob, code=factor.code(1))).status_code == 200
    clock.turn(seconds=300)
    far = [code_of(await enter(workspace, bob, code=factor.code(steps))) for steps in (-2, 2)]
    assert far == [WRONG] * 2
    spaced = factor.code()[:3] + " " + factor.code()[3:]
    assert (await enter(workspace, bob, code=spaced)).status_code == 200


@pytest.mark.asvs("6.5.1", "15.4.2")
@pytest.mark.api_top10("API2")
async def test_a_code_shown_many_times_at_once_lets_in_once(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    factor = await protect(workspace, bob)
    for code in (factor.code(), factor.recovery_codes[3]):
        answers = await asyncio.gather(*(enter(workspace, bob, code=code) for _ in range(5)))
        assert Counter(each.status_code for each in answers)[200] == 1
        clock.turn(seconds=1_000)


@pytest.mark.asvs("6.5.1")
@pytest.mark.api_top10("API2")
async def test_a_recovery_code_is_good_once_in_whatever_letters(
    workspace: Workspace, bob: Person
) -> None:
    factor = await protect(workspace, bob)
    first, second = factor.recovery_codes[:2]
    shown = [first.upper(), first, second.replace("-", " "), second]
    answers = [(await enter(workspace, bob, code=each)).status_code for each in shown]
    assert answers == [200, 400, 200, 400]
    me = (await bob.get("/v1/agents/me")).json()["agent"]
    assert me["recovery_codes_left"] == 8


@pytest.mark.asvs("6.3.1", "16.3.3")
@pytest.mark.api_top10("API2")
async def test_concurrent_guessing_of_codes_gets_exactly_the_allowed_tries(
    workspace: Workspace, bob: Person, clock: TurningClock, backend: str
) -> None:
    """In all processes together, of which a SQLite file has one."""
    await bob.post(PATH, {"password": PASSWORD})
    other = create_app(workspace.service.config, clock=clock)
    async with client_of(other) as client:
        there = bob if backend == "sqlite" else replace(bob, client=client)
        guesses = (
            (there if each % 2 else bob).post(f"{PATH}/confirm", {"code": "000000"})
            for each in range(AT_ONCE)
        )
        answers = Counter(each.status_code for each in await asyncio.gather(*guesses))
    assert answers == {400: 10, 429: AT_ONCE - 10}
    assert (await enter(workspace, bob)).status_code == 200, "passwords are counted apart"
    entries = await audited(workspace, "agent.second_factor_set")
    assert [entry.outcome for entry in entries] == ["refused"] * 11
    clock.turn(seconds=61)
    assert (await bob.post(f"{PATH}/confirm", {"code": "000000"})).status_code == 400
    await other.database.engine.dispose()


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_who_knows_the_password_guesses_no_more_codes_than_passwords(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    factor = await protect(workspace, bob)
    answers = await asyncio.gather(
        *(enter(workspace, bob, code=f"{number:06}") for number in range(30))
    )
    assert Counter(code_of(each) for each in answers) == {WRONG: 10, LIMITED: 20}
    clock.turn(seconds=70)
    assert code_of(await enter(workspace, bob, code=factor.code())) == LIMITED
    clock.turn(seconds=900)
    assert (await enter(workspace, bob, code=factor.code())).status_code == 200


async def test_a_right_code_takes_its_try_back(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    factor = await protect(workspace, bob)
    for code in (factor.code(), factor.code(1), *factor.recovery_codes):
        assert (await enter(workspace, bob, code=code)).status_code == 200


async def test_the_right_password_without_a_code_is_no_try(
    workspace: Workspace, bob: Person
) -> None:
    factor = await protect(workspace, bob)
    answers = {code_of(await enter(workspace, bob, "192.0.2.50")) for _ in range(12)}
    assert answers == {REQUIRED}
    entered = await enter(workspace, bob, "192.0.2.50", code=factor.code())
    assert entered.status_code == 200


@pytest.mark.asvs("6.3.8")
async def test_a_wrong_password_is_not_asked_for_a_code(workspace: Workspace, bob: Person) -> None:
    factor = await protect(workspace, bob)
    for code in (None, factor.code()):
        assert code_of(await enter(workspace, bob, password="wrong", code=code)) == WRONG
    assert (await enter(workspace, bob, code=factor.code())).status_code == 200


async def test_a_code_that_nobody_asked_for_does_no_harm(workspace: Workspace, bob: Person) -> None:
    for _ in range(12):
        assert (await enter(workspace, bob, code="123456")).status_code == 200


@pytest.mark.asvs("7.5.1", "16.3.1")
@pytest.mark.api_top10("API2")
async def test_it_is_removed_by_password_and_code(workspace: Workspace, bob: Person) -> None:
    factor = await protect(workspace, bob)
    shown = [
        {"password": "wrong", "code": factor.code()},
        {"password": PASSWORD, "code": "000000"},
        {"password": PASSWORD, "code": factor.code()},
    ]
    answers = [(await bob.call("DELETE", PATH, json=body)).status_code for body in shown]
    assert answers == [400, 400, 204]
    assert (await enter(workspace, bob)).status_code == 200
    entries = await audited(workspace, "agent.second_factor_removed")
    assert [entry.outcome for entry in entries] == ["refused", "refused", "done"]
    assert [entry.target_id for entry in entries] == [bob.id] * 3


@pytest.mark.asvs("6.5.6")
async def test_who_manages_agents_removes_it_for_who_lost_all(
    workspace: Workspace, bob: Person
) -> None:
    admin = await workspace.agent(Role.ADMIN)
    await protect(workspace, bob)
    for _ in range(2):
        removed = await admin.call("DELETE", f"/v1/agents/{bob.id}/second-factor")
        assert removed.status_code == 204
    assert (await enter(workspace, bob)).status_code == 200
    (entry,) = await audited(workspace, "agent.second_factor_removed")
    assert (entry.actor_id, entry.target_id) == (admin.id, bob.id)


async def test_a_secret_sealed_by_another_key_leaves_the_recovery_codes(
    workspace: Workspace, bob: Person
) -> None:
    factor = await protect(workspace, bob)
    await change_row(workspace, Agent, bob.id, totp_secret="of another installation")
    assert code_of(await enter(workspace, bob, code=factor.code())) == WRONG
    assert (await enter(workspace, bob, code=factor.recovery_codes[0])).status_code == 200


@pytest.mark.asvs("6.4.3")
async def test_a_changed_password_keeps_the_second_factor(
    workspace: Workspace, bob: Person
) -> None:
    factor = await protect(workspace, bob)
    change = {"old_password": PASSWORD, "password": CHOSEN}
    assert (await bob.post("/v1/agents/me/password", change)).status_code == 204
    assert code_of(await enter(workspace, bob, password=CHOSEN)) == REQUIRED
    person_of(workspace, await enter(workspace, bob, password=CHOSEN, code=factor.code()))


@pytest.mark.parametrize("code", ["", "12345", "１２３４５６", "123456\n7", "0" * 6, "é" * 6])
def test_only_the_code_of_a_near_step_fits(code: str) -> None:
    secret, now = totp.new_totp_secret(), utc_now()
    fitting = totp.matching_step(secret, code, used=None, now=now)
    assert fitting is None or code in {code_at(secret, lambda: now, each) for each in totp.BESIDE}


@pytest.mark.asvs("6.5.2", "6.5.3", "6.5.4")
def test_recovery_codes_are_random_and_readable() -> None:
    codes = [code for _ in range(100) for code in totp.new_recovery_codes()]
    assert len(set(codes)) == 1_000
    assert {len(totp.plain(code)) for code in codes} == {24}
    assert 24 * log2(len(totp.ALPHABET)) >= 112
    assert set("".join(codes)) <= {*totp.ALPHABET, "-"}
