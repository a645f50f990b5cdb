"""Refresh tokens: no lost answer and no second tab signs anybody out, and no copy lives on."""

import asyncio

import pytest

from chat_service.test.builders import Person, Workspace
from chat_service.test.customers.calls import refresh, renew
from chat_service.test.fakes import TurningClock

TABS = 8


@pytest.fixture
async def ada(workspace: Workspace) -> Person:
    """A customer."""
    return await workspace.customer("Ada")


async def status(person: Person) -> int:
    """Whether a person's access token opens the door."""
    return (await person.get("/v1/sessions")).status_code


@pytest.mark.conformance("refresh_with_every_answer_lost_once_and_eight_tabs_signs_nobody_out")
async def test_refresh_with_every_answer_lost_once_and_eight_tabs_signs_nobody_out(
    ada: Person,
) -> None:
    for _ in range(5):
        lost = await asyncio.gather(*(refresh(ada) for _ in range(TABS)))
        heard = await asyncio.gather(*(refresh(ada) for _ in range(TABS)))
        assert {answer.status_code for answer in [*lost, *heard]} == {200}
        assert len({answer.json()["refresh_token"] for answer in [*lost, *heard]}) == 1
        ada = await renew(ada)
        assert await status(ada) == 200


async def test_a_tab_that_wakes_late_finds_the_token_that_was_stored_meanwhile(
    ada: Person,
) -> None:
    renewed = await renew(ada)
    assert (await refresh(ada)).json()["refresh_token"] == renewed.details["refresh_token"]
    assert await status(await renew(renewed)) == 200


@pytest.mark.conformance("stolen_refresh_token_used_later_ends_the_family")
@pytest.mark.api_top10("API2")
async def test_stolen_refresh_token_used_later_ends_the_family(ada: Person) -> None:
    second = await renew(ada)
    third = await renew(second)
    assert await status(third) == 200
    thief = await refresh(ada)
    assert (thief.status_code, thief.json()["code"]) == (400, "invalid_grant")
    assert "access_token" not in thief.json()
    for token in (ada, second, third):
        assert (await refresh(token)).status_code == 400
        assert await status(token) == 401


@pytest.mark.api_top10("API2")
async def test_the_thief_who_was_first_loses_as_well(ada: Person) -> None:
    thief = await renew(await renew(ada))
    assert (await refresh(ada)).status_code == 400
    assert [await status(thief), (await refresh(thief)).status_code] == [401, 400]


async def test_the_end_of_a_family_is_recorded_once(workspace: Workspace, ada: Person) -> None:
    key = await workspace.key()
    await renew(await renew(ada))
    for _ in range(3):
        assert (await refresh(ada)).status_code == 400
    events = (await key.get("/v1/events", params={"types": "token.revoked"})).json()["data"]
    assert [event["actor"] for event in events] == [{"type": "system", "id": None}]


async def test_one_family_ends_alone(workspace: Workspace, ada: Person) -> None:
    carl = await workspace.customer("Carl")
    await renew(await renew(ada))
    await refresh(ada)
    assert await status(carl) == 200
    assert await status(await renew(carl)) == 200


@pytest.mark.asvs("7.4.1")
@pytest.mark.api_top10("API2")
async def test_signing_out_ends_the_family(ada: Person) -> None:
    renewed = await renew(ada)
    assert (await renewed.post("/v1/auth/sign-out")).status_code == 204
    for person in (ada, renewed):
        assert await status(person) == 401
        answer = await refresh(person)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_grant")


@pytest.mark.asvs("7.4.1")
@pytest.mark.api_top10("API2")
async def test_a_refresh_token_lives_thirty_days_from_its_last_use(
    ada: Person, clock: TurningClock
) -> None:
    for _ in range(3):
        clock.turn(days=29)
        ada = await renew(ada)
    clock.turn(days=31)
    assert (await refresh(ada)).status_code == 400


async def test_a_renewed_token_is_the_same_person(ada: Person) -> None:
    renewed = await renew(ada)
    assert renewed.details["customer"] == ada.details["customer"]
    session_id = (await ada.start())["session"]["id"]
    assert (await renewed.get(f"/v1/sessions/{session_id}")).status_code == 200


async def test_the_old_access_token_lives_on_until_it_expires(ada: Person) -> None:
    await renew(await renew(ada))
    assert await status(ada) == 200


@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_a_forged_refresh_token_is_none_and_ends_nothing(
    workspace: Workspace, ada: Person
) -> None:
    carl = await workspace.customer()
    good, other = (person.details["refresh_token"].split("_") for person in (ada, carl))
    forged = [
        [*good[:3], "2", good[4]],
        [*good[:3], "0", good[4]],
        [*good[:2], other[2], *good[3:]],
        [*good[:4], other[4]],
        [*good[:4], good[4][:-1]],
        [*good[:4], ""],
        ["sk", *good[1:]],
        [*good[:3], "1" * 100, good[4]],
        [*good[:3], "\u0661", good[4]],
    ]
    for parts in forged:
        answer = await refresh(ada, "_".join(parts))
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_grant"), parts
    assert await status(await renew(ada)) == 200


@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_other_tokens_do_not_refresh(workspace: Workspace, ada: Person) -> None:
    agent, key = await workspace.agent(), await workspace.key()
    for token in (agent.token, key.token):
        assert (await refresh(ada, token)).status_code == 400
