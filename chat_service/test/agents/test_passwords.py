"""Passwords: what is stored fits the password alone and carries its cost."""

import asyncio

import pytest

from chat_service.agents.passwords import WAITING_AT_MOST, Passwords
from chat_service.config import Auth

CHEAP = Auth(hash_memory_kib=64, hash_rounds=1)


@pytest.mark.asvs("6.2.8")
@pytest.mark.api_top10("API2")
async def test_only_the_password_fits() -> None:
    passwords = Passwords(CHEAP)
    stored = await passwords.hash("correct horse")
    assert await passwords.fits(stored, "correct horse")
    for wrong in ("correct horse ", "Correct horse", "", "correct", "nobody has this password"):
        assert not await passwords.fits(stored, wrong)


async def test_nobody_has_no_password_at_all() -> None:
    passwords = Passwords(CHEAP)
    for guess in ("", "nobody has this password"):
        assert not await passwords.fits(None, guess)


@pytest.mark.asvs("11.4.2")
async def test_equal_passwords_are_stored_differently() -> None:
    passwords = Passwords(CHEAP)
    first, second = await asyncio.gather(passwords.hash("same"), passwords.hash("same"))
    assert first != second
    assert first.startswith("$argon2id$v=19$m=64,t=1,p=1$")


@pytest.mark.asvs("11.4.2")
async def test_the_usual_cost_is_the_recommended_one() -> None:
    assert "m=19456,t=2,p=1" in await Passwords(Auth()).hash("x")


@pytest.mark.asvs("11.4.2")
async def test_a_stored_password_of_lower_cost_is_outdated_and_still_fits() -> None:
    stored = await Passwords(CHEAP).hash("old")
    dearer = Passwords(Auth(hash_memory_kib=128, hash_rounds=1))
    assert dearer.is_outdated(stored)
    assert not Passwords(CHEAP).is_outdated(stored)
    assert await dearer.fits(stored, "old")


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$", "$2b$12$" + "a" * 53])
async def test_what_is_no_hash_fits_nothing(stored: str) -> None:
    assert not await Passwords(CHEAP).fits(stored, "x")


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_whoever_comes_while_too_many_wait_is_refused_at_once() -> None:
    passwords = Passwords(CHEAP)
    tries = [passwords.hash("x") for _ in range(WAITING_AT_MOST + 1)]
    told = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each).__name__ for each in told].count("Overloaded") == 1
    assert await passwords.hash("later")
