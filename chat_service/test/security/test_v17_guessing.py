"""V17: guessing in parallel gets no more tries, and an answer tells nothing of an account.

Zammad CVE-2022-35490.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import httpx2
import pytest

from chat_service.test.builders import Workspace, unique
from chat_service.test.cli.programs import Shell
from chat_service.test.postgres import FreshDatabase

AT_ONCE: Final = 200
PER_ADDRESS: Final = 5
Answer = Callable[[str, str], Awaitable[httpx2.Response]]


@pytest.fixture
def bare_shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which nothing has been run yet."""
    return Shell(tmp_path_factory.mktemp("guessed"))


@pytest.mark.timeout(180)
@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_two_workers_together_let_an_address_try_five_times(
    bare_shell: Shell, fresh_database: FreshDatabase
) -> None:
    bare_shell.settings |= {"DATABASE_URL": fresh_database("guessed"), "DATABASE_PROFILE": "fast"}
    for command in (("migrate",), ("seed-demo", "--credentials", "-")):
        assert (await asyncio.to_thread(bare_shell.run, *command)).code == 0
    with bare_shell.serving("--workers", "2") as lines:
        url = lines[-1].rpartition(" ")[2]
        body = {"email": "owner@example.org", "password": "wrong password", "workspace": "demo"}
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
            tries = (client.post("/v1/auth/sign-in", json=body) for _ in range(AT_ONCE))
            answers = Counter(answer.status_code for answer in await asyncio.gather(*tries))
    assert answers[400] == PER_ADDRESS
    assert set(answers) <= {400, 429, 503}, "503 where the first are still being looked at"


@pytest.mark.asvs("6.3.8")
@pytest.mark.api_top10("API2")
async def test_known_and_unknown_accounts_are_answered_alike(workspace: Workspace) -> None:
    bob = await workspace.agent()
    known = bob.details["agent"]["email"]
    found = set()
    for email, slug in ((known, workspace.slug), (f"{unique()}@example.org", workspace.slug),
                        (known, "no-such-workspace")):  # fmt: skip
        body = {"email": email, "password": "wrong password", "workspace": slug}
        answer = await workspace.client.post("/v1/auth/sign-in", json=body)
        text = re.sub(r'"request_id":"[^"]*"', "", answer.text)
        found.add((answer.status_code, text, tuple(sorted(set(answer.headers) - {"request-id"}))))
    assert len(found) == 1
