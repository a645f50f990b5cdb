"""Tries at signing in are counted exactly, by account and by address, over all processes."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from chat_service.app import create_app
from chat_service.test.agents.lives import new_address
from chat_service.test.agents.tries import guess, home_of, knows, sign_in
from chat_service.test.builders import PASSWORD, Person, Workspace, build_workspace, unique
from chat_service.test.fakes import TurningClock

PER_ACCOUNT, PER_ADDRESS = 10, 5
AT_ONCE = 200
TRIED_OR_NOT = {400, 429, 503}
"""The first was looked at; the others were not, after failures or while the first are being looked at."""


@pytest.fixture
async def bob(workspace: Workspace) -> Person:
    """An agent whose password is guessed."""
    return await workspace.agent()


def email_of(agent: Person) -> str:
    """What an agent signs in with."""
    email: str = agent.details["agent"]["email"]
    return email


def addresses() -> list[str]:
    """As many addresses as guesses at once."""
    return [new_address() for _ in range(AT_ONCE)]


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_concurrent_guessing_of_an_account_gets_exactly_the_allowed_tries(
    workspace: Workspace, bob: Person
) -> None:
    tries = (guess(workspace, email_of(bob), address) for address in addresses())
    answers = Counter(await asyncio.gather(*tries))
    assert answers[400] == PER_ACCOUNT
    assert set(answers) <= TRIED_OR_NOT
    assert await knows(workspace, email_of(bob), new_address()) == 429


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_concurrent_guessing_from_an_address_gets_exactly_the_allowed_tries(
    workspace: Workspace, bob: Person
) -> None:
    tries = (guess(workspace, f"{unique()}@example.org") for _ in range(AT_ONCE))
    answers = Counter(await asyncio.gather(*tries))
    assert answers[400] == PER_ADDRESS
    assert set(answers) <= TRIED_OR_NOT
    assert await knows(workspace, email_of(bob)) == 429
    assert await knows(workspace, email_of(bob), new_address()) == 200


async def test_a_right_password_takes_its_try_back(workspace: Workspace, bob: Person) -> None:
    for _ in range(PER_ACCOUNT + 2):
        assert await knows(workspace, email_of(bob)) == 200


async def test_a_right_password_takes_back_no_wrong_try(workspace: Workspace, bob: Person) -> None:
    for _ in range(PER_ADDRESS - 1):
        assert await guess(workspace, email_of(bob)) == 400
    assert await knows(workspace, email_of(bob)) == 200
    assert await guess(workspace, email_of(bob)) == 400
    assert await knows(workspace, email_of(bob)) == 429


async def test_however_many_people_sign_in_at_once_all_are_let_in(workspace: Workspace) -> None:
    people = [await workspace.agent() for _ in range(4)]
    tries = (knows(workspace, email_of(each)) for each in people * 4)
    assert Counter(await asyncio.gather(*tries)) == {200: 16}


async def test_tries_of_an_address_are_forgotten_after_five_minutes(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    for _ in range(PER_ADDRESS):
        await guess(workspace, f"{unique()}@example.org")
    clock.turn(seconds=290)
    assert await knows(workspace, email_of(bob)) == 429
    clock.turn(seconds=20)
    assert await knows(workspace, email_of(bob)) == 200


async def test_tries_of_an_account_are_forgotten_after_fifteen_minutes(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    for _ in range(PER_ACCOUNT):
        assert await guess(workspace, email_of(bob), new_address()) == 400
    clock.turn(seconds=890)
    assert await knows(workspace, email_of(bob)) == 429
    clock.turn(seconds=20)
    assert await knows(workspace, email_of(bob)) == 200


async def test_a_refused_try_does_not_prolong_the_wait(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    for _ in range(PER_ADDRESS):
        await guess(workspace, email_of(bob))
    for _ in range(3):
        clock.turn(seconds=95)
        assert await knows(workspace, email_of(bob)) == 429
    clock.turn(seconds=20)
    assert await knows(workspace, email_of(bob)) == 200


async def test_retry_after_tells_when_the_next_try_counts(
    workspace: Workspace, bob: Person, clock: TurningClock
) -> None:
    body = {"email": email_of(bob), "password": PASSWORD, "workspace": workspace.slug}
    await guess(workspace, email_of(bob))
    clock.turn(seconds=100)
    for _ in range(PER_ADDRESS - 1):
        await guess(workspace, email_of(bob))
    refused = await sign_in(workspace.service, body, home_of(workspace))
    seconds = int(refused.headers["Retry-After"])
    assert (refused.status_code, refused.json()["retryable"]) == (429, True)
    assert 150 < seconds <= 201
    clock.turn(seconds=seconds)
    assert (await sign_in(workspace.service, body, home_of(workspace))).status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP"]
)
@pytest.mark.asvs("4.1.3", "15.3.4")
async def test_a_header_gives_no_other_address(workspace: Workspace, header: str) -> None:
    numbers = count(1)

    async def lie() -> int:
        headers = {header: f"for=198.51.100.{next(numbers)}"}
        return await guess(workspace, f"{unique()}@example.org", headers=headers)

    answers = Counter([await lie() for _ in range(PER_ADDRESS + 3)])
    assert answers == {400: PER_ADDRESS, 429: 3}


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_an_address_in_other_letters_is_the_same_account(
    workspace: Workspace, bob: Person
) -> None:
    for number in range(PER_ACCOUNT):
        email = email_of(bob).upper() if number % 2 else email_of(bob)
        assert await guess(workspace, email, new_address()) == 400
    assert await guess(workspace, email_of(bob).title(), new_address()) == 429


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_addresses_of_one_ipv6_network_are_one(workspace: Workspace) -> None:
    for number in range(PER_ADDRESS):
        email, address = f"{unique()}@example.org", f"2001:db8:ffff:1:{number + 1:x}::{number:x}"
        assert await guess(workspace, email, address) == 400
    assert await guess(workspace, f"{unique()}@example.org", "2001:db8:ffff:1::ffff") == 429
    assert await guess(workspace, f"{unique()}@example.org", "2001:db8:ffff:2::1") == 400


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_an_ipv4_address_is_the_same_on_a_socket_of_both_kinds(workspace: Workspace) -> None:
    for _ in range(PER_ADDRESS):
        assert await guess(workspace, f"{unique()}@example.org", "::ffff:192.0.2.1") == 400
    assert await guess(workspace, f"{unique()}@example.org", "192.0.2.1") == 429
    assert await guess(workspace, f"{unique()}@example.org", "::ffff:192.0.2.2") == 400


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_all_processes_count_together(
    workspace: Workspace, bob: Person, turning_clock: TurningClock
) -> None:
    other = create_app(workspace.service.config, clock=turning_clock)
    there = replace(workspace, service=other)
    for place in (workspace, there, workspace, there, there):
        assert await guess(place, email_of(bob)) == 400
    assert [await guess(place, email_of(bob)) for place in (workspace, there)] == [429, 429]
    await other.database.engine.dispose()


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_guesses_at_no_workspace_are_counted_too(workspace: Workspace) -> None:
    body = {"email": "x@example.org", "password": "x", "workspace": f"none-{unique()}"}
    place = home_of(workspace)
    answers = [(await sign_in(workspace.service, body, place)).status_code for _ in range(6)]
    assert answers == [400] * 5 + [429]


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_an_address_gets_no_more_tries_by_going_through_workspaces(
    workspace: Workspace, bob: Person
) -> None:
    others = [
        await build_workspace(workspace.service, workspace.client) for _ in range(PER_ADDRESS)
    ]
    place = home_of(workspace)
    answers = [await guess(other, f"{unique()}@example.org", place) for other in others]
    assert answers == [400] * PER_ADDRESS
    assert await knows(workspace, email_of(bob), place) == 429
    assert await knows(workspace, email_of(bob), new_address()) == 200


@pytest.mark.asvs("6.3.1")
async def test_an_account_of_the_same_name_elsewhere_is_another(
    workspace: Workspace, bob: Person
) -> None:
    other = await build_workspace(workspace.service, workspace.client)
    for _ in range(PER_ACCOUNT):
        assert await guess(other, email_of(bob), new_address()) == 400
    assert await guess(other, email_of(bob), new_address()) == 429
    assert await knows(workspace, email_of(bob), new_address()) == 200
