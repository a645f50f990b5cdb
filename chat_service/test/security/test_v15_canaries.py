"""V15: a secret is told by the one answer that is meant to tell it, and by nothing else there is.

Rocket.Chat CVE-2022-32217: secrets in clear. Mattermost CVE-2026-19621: secrets in a broadcast.
"""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from chat_service.test.addresses import BODIES, addresses
from chat_service.test.security.canaries import STORED, columns_like_secrets
from chat_service.test.security.confidences import FACTOR, Scene, everything_done

pytestmark = pytest.mark.timeout(120)
SHOWN: Final = {
    "login": {"POST /v1/auth/links", "POST /v1/auth/sign-in", "POST /v1/auth/oidc/finish"},
    "link": {"POST /v1/agents", "POST /v1/agents/{agent_id}/link", "POST /v1/workspaces", "letter"},
    "API key": {"POST /v1/api-keys"},
    "ticket": {"POST /v1/realtime/tickets"},
    "refresh token": {"POST /v1/inboxes/{inbox_key}/customers", "POST /v1/auth/token"},
    "access token": {"POST /v1/inboxes/{inbox_key}/customers", "POST /v1/auth/token"},
    f"secret of POST {FACTOR}": {f"POST {FACTOR}"},
    f"recovery_codes of POST {FACTOR}/confirm": {f"POST {FACTOR}/confirm"},
    "secret of POST /v1/inboxes/{inbox_id}/keys": {"POST /v1/inboxes/{inbox_id}/keys"},
    "flow of POST /v1/auth/oidc/start": {"POST /v1/auth/oidc/start"},
}
"""Every secret that is told at all, and where."""
MORE_THAN_ONCE: Final = {"refresh token", "access token", "link"}
"""The same are made again, within a second or until they are used; a link is sent by mail besides."""
KEPT: Final = {
    "password",
    "installation",
    "identity token",
    "of the provider",
    "typed",
    "made before",
}
"""Secrets that nobody is ever told."""
NO_SECRETS: Final[set[str]] = set()
"""Columns that only sound so."""
NEVER_WELL: Final = {"GET /demo/credentials.json", "GET /v1/realtime"}
"""Where a service like this one has nothing to tell to anybody."""


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """All that there is to do, done and told."""
    async with everything_done(tmp_path_factory.mktemp("canaries")) as scene:
        yield scene


@pytest.mark.asvs("15.3.1", "16.2.5", "16.5.1")
@pytest.mark.api_top10("API3")
@pytest.mark.parametrize("kind", sorted(SHOWN))
def test_a_secret_is_told_where_it_is_meant_to_be_and_nowhere_else(scene: Scene, kind: str) -> None:
    assert scene.told.places(kind) == SHOWN[kind]
    if kind not in MORE_THAN_ONCE:
        times = [scene.told.times(secret) for secret in scene.told.secrets[kind]]
        assert times and set(times) == {1}


def test_every_secret_that_was_told_is_known_here(scene: Scene) -> None:
    assert set(scene.told.secrets) == {*SHOWN, *KEPT}


@pytest.mark.asvs("16.2.5", "16.5.1")
@pytest.mark.api_top10("API3")
@pytest.mark.parametrize("kind", sorted(KEPT))
def test_what_is_nobodys_to_know_is_told_to_nobody(scene: Scene, kind: str) -> None:
    assert scene.told.secrets[kind]
    assert scene.told.places(kind) == set()


@pytest.mark.asvs("15.3.1")
@pytest.mark.parametrize("column", sorted(STORED))
def test_what_a_secret_is_checked_by_is_told_to_nobody(scene: Scene, column: str) -> None:
    scene.told.secrets[column] = scene.stored[column]
    assert scene.stored[column]
    assert scene.told.places(column) == set()


def test_every_column_that_keeps_a_secret_is_looked_for() -> None:
    assert columns_like_secrets() - STORED == NO_SECRETS


def test_every_address_was_asked_well_and_badly(scene: Scene) -> None:
    """Else it was looked for where nothing was told."""
    statuses = scene.told.statuses
    assert set(statuses) >= set(addresses())
    well = {each for each in addresses() if min(statuses[each]) < 400}
    assert set(addresses()) - well == NEVER_WELL
    assert {each for each in BODIES if max(statuses[each]) < 400} == set()
    assert set(scene.told.texts) - set(statuses) == {"log", "letter", "audit export", "socket"}
    assert min(len(text) for text in scene.told.texts["socket"]) > 1_000
