"""The pages in a real browser: they work under their own policy and load nothing from elsewhere."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat_service.test.addresses import api_document
from chat_service.test.faults.stores import sqlite_store
from chat_service.test.faults.victim import Victim
from chat_service.test.operations.browser import open_page


@pytest.fixture(scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where a real server is, on an empty database."""
    folder = tmp_path_factory.mktemp("pages")
    store = await sqlite_store(folder)
    server = Victim(store.url, folder, {"ENVIRONMENT": "development"})
    await server.start()
    yield server.address
    server.stop()


def test_the_api_is_shown_without_a_complaint(address: str, tmp_path: Path) -> None:
    page = open_page(f"{address}/docs", tmp_path)
    shown = set(re.findall(r'data-path="([^"]+)"', page.html))
    assert shown == set(api_document()["paths"])
    assert page.console == []


@pytest.mark.parametrize("path", ["/", "/problems", "/problems/session_closed"])
def test_a_page_is_shown_without_a_complaint(address: str, tmp_path: Path, path: str) -> None:
    page = open_page(f"{address}{path}", tmp_path)
    assert "<h1>" in page.html
    assert page.console == []


def test_a_browser_does_complain(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
        "<script>document.title = 1</script>"
    )
    assert open_page(page.as_uri(), tmp_path / "profile").console != []
