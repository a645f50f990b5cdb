"""V13: a way in that meets the act by which it ends, at the same moment, opens nothing for longer.

Zulip CVE-2022-24751: who was let in while he was deactivated stayed.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Final

import httpx2
import pytest

from chat_service.schema import Role
from chat_service.test.agents.lives import CHOSEN, ask, code_of, enter, join, works
from chat_service.test.backends import count
from chat_service.test.builders import PASSWORD, Person, Workspace
from chat_service.test.customers.site import DEVICE, identified, show, site_of

ROUNDS: Final = count(10, many=200)
pytestmark = pytest.mark.timeout(120)


async def meeting(
    act: Awaitable[httpx2.Response], *ways: Awaitable[httpx2.Response], after: int
) -> tuple[httpx2.Response, list[httpx2.Response]]:
    """An act that meets what is under way: it begins when so many of the ways in are through."""
    through = asyncio.Semaphore(0)

    async def go(way: Awaitable[httpx2.Response]) -> httpx2.Response:
        answer = await way
        through.release()
        return answer

    async def begin() -> httpx2.Response:
        for _ in range(after):
            await through.acquire()
        return await act

    acted, *answers = await asyncio.gather(begin(), *map(go, ways))
    return acted, answers


async def change_password(workspace: Workspace, bob: Person) -> httpx2.Response:
    """Choose another one, from an address of his own."""
    body = {"old_password": PASSWORD, "password": CHOSEN}
    headers = {"Authorization": f"Bearer {bob.token}"}
    return await ask(workspace.service, "/v1/agents/me/password", body, headers=headers)


def let_in(workspace: Workspace, answers: Iterable[httpx2.Response]) -> list[Person]:
    """Whoever was given a token."""
    told = [answer.json() for answer in answers if answer.content]
    return [
        Person(workspace.client, each["access_token"], "")
        for each in told
        if "access_token" in each
    ]


@pytest.mark.asvs("7.4.2")
@pytest.mark.api_top10("API2")
async def test_no_login_outlives_a_deactivation_that_it_meets(workspace: Workspace) -> None:
    """Nor does one come back with the agent, which is when it would show."""
    boss, given = await workspace.agent(Role.OWNER), 0
    for number in range(ROUNDS):
        bob = await workspace.agent()
        path = f"/v1/agents/{bob.id}"
        link = (await boss.post(f"{path}/link")).json()["link"]["token"]
        ways = [*(enter(workspace, bob) for _ in range(2)), join(workspace, link)]
        ways += [change_password(workspace, bob), boss.post(f"{path}/link")]
        left, answers = await meeting(boss.post(f"{path}/deactivate"), *ways, after=number % 5)
        assert left.status_code == 200, left.text
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 400, 401, 409}
        told = [answer.json() for answer in answers if answer.content]
        links = [link, *(each["link"]["token"] for each in told if "link" in each)]
        people = [bob, *let_in(workspace, answers)]
        given += len(people) - 1
        assert (await enter(workspace, bob)).status_code == 400
        await boss.post(f"{path}/activate")
        assert not [each for each in people if await works(each)]
        for each in links:
            assert code_of(await join(workspace, each)) == (400, "invalid_grant")
    assert given, "nobody was let in before"


@pytest.mark.asvs("7.4.2")
@pytest.mark.parametrize("by", ["himself", "a link"])
async def test_no_login_by_the_old_password_outlives_its_change(
    workspace: Workspace, by: str
) -> None:
    boss, given = await workspace.agent(Role.OWNER), 0
    for number in range(ROUNDS // 2):
        bob = await workspace.agent()
        if by == "himself":
            change = change_password(workspace, bob)
        else:
            made = await boss.post(f"/v1/agents/{bob.id}/link")
            change = join(workspace, made.json()["link"]["token"])
        ways = [enter(workspace, bob) for _ in range(3)]
        changed, answers = await meeting(change, *ways, after=number % 4)
        assert changed.is_success, changed.text
        assert {answer.status_code for answer in answers} <= {200, 400}
        people = let_in(workspace, answers)
        given += len(people)
        assert not [each for each in people if await works(each)]
        assert await works(bob) is (by == "himself")
        assert (await enter(workspace, bob)).status_code == 400
    assert given, "nobody was let in before"


@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API5")
async def test_whoever_signs_in_while_his_role_changes_has_the_new_one(
    workspace: Workspace,
) -> None:
    boss, found = await workspace.agent(Role.OWNER), set()
    for number in range(ROUNDS // 2):
        bob = await workspace.agent(Role.ADMIN)
        lower = boss.call("PATCH", f"/v1/agents/{bob.id}", json={"role": "viewer"})
        ways = [enter(workspace, bob) for _ in range(3)]
        lowered, answers = await meeting(lower, *ways, after=number % 4)
        answers.append(await enter(workspace, bob))
        assert {lowered.status_code, *(answer.status_code for answer in answers)} == {200}
        for person in (bob, *let_in(workspace, answers)):
            seen = await person.get("/v1/agents/me")
            found.add("none" if seen.status_code == 401 else seen.json()["agent"]["role"])
        assert not await works(bob)
    assert found == {"none", "viewer"}


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("by", ["a block", "signing out"])
async def test_no_token_of_a_customer_outlives_its_end_by_being_renewed(
    workspace: Workspace, by: str
) -> None:
    """Nor, where he is blocked, by the word of the host site."""
    site, key, given = await site_of(workspace), await workspace.key(), 0
    for number in range(ROUNDS // 2):
        ada = await identified(site, f"user-{number}")
        token = ada.details["refresh_token"]
        path, body = "/v1/auth/token", {"refresh_token": token, "device_id": DEVICE}
        ways = [ada.client.post(path, json=body) for _ in range(3)]
        end = ada.post("/v1/auth/sign-out")
        if by == "a block":
            end.close()
            end = key.post(f"/v1/customers/{ada.id}/block")
            ways += [show(workspace, site.token(f"user-{number}")) for _ in range(2)]
        ended, answers = await meeting(end, *ways, after=number % 4)
        assert ended.is_success, ended.text
        people = let_in(workspace, answers)
        given += len(people)
        assert not [each for each in (ada, *people) if await works(each)]
        newest = [token, *(each.json()["refresh_token"] for each in answers if each.is_success)]
        for each in newest:
            again = await ada.client.post(path, json=body | {"refresh_token": each})
            assert again.status_code in (400, 403), again.text
    assert given, "nobody was let in before"
