"""The demo in a real browser: two people who talk, and what each of them sees."""

import re
import shutil
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from chat_service.test.cli.conftest import bare_shell, migrated_file, seeded, seeded_folder
from chat_service.test.cli.programs import Shell
from chat_service.test.operations.browser import NAMES
from chat_service.test.require import skip_or_fail

__all__ = ["bare_shell", "migrated_file", "seeded", "seeded_folder"]
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def url(seeded: Shell) -> Iterator[str]:
    """Where the demo is served."""
    with seeded.serving(ENVIRONMENT="development") as lines:
        found = re.search(r"http://[\w.]+:\d+", " ".join(lines))
        assert found is not None
        yield found[0]


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    """The demo, ready; whatever its console complains of fails the test."""
    program = next((path for path in map(shutil.which, NAMES) if path), None)
    if program is None:
        skip_or_fail("chromium", "no such program")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/demo")
        page.wait_for_selector("body[data-ready]")
        yield page
        browser.close()
    assert complaints == []


def say(page: Page, side: str, text: str) -> None:
    """Type on one side, and send."""
    page.locator(f"#{side} input[type=text]").fill(text)
    page.keyboard.press("Enter")


def said(page: Page, side: str, text: str) -> None:
    """Wait until a side shows it, once."""
    expect(page.locator(f"#{side} li", has_text=text)).to_have_count(1)


def test_two_people_talk_and_the_customer_sees_no_note(page: Page) -> None:
    say(page, "customer", "Where is my order?")
    said(page, "agent", "Where is my order?")
    page.locator("#agent input[type=checkbox]").check()
    say(page, "agent", "Regular customer.")
    said(page, "agent", "Regular customer.")
    page.locator("#agent input[type=checkbox]").uncheck()
    say(page, "agent", "It left this morning.")
    for side in ("agent", "customer"):
        said(page, side, "It left this morning.")
    assert "Regular customer." not in page.locator("#customer").inner_text()
    expect(page.locator("#customer output")).to_contain_text("open")


def test_who_plays_is_told_under_a_name_of_this_machine_only(url: str) -> None:
    for host, status in (("localhost:1", 200), ("[::1]", 200), ("evil.example:8080", 404)):
        found = httpx2.get(f"{url}/demo/credentials.json", headers={"Host": host})
        assert found.status_code == status


def test_a_side_sends_one_message_after_the_other(page: Page) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    page.route("**/messages", hold_the_first)
    for text in ("first", "second"):
        say(page, "customer", text)
    page.wait_for_timeout(500)
    assert len(held) == 1
    held[0].continue_()
    expected = [re.compile("first$"), re.compile("second$")]
    expect(page.locator("#agent li.customer")).to_have_text(expected)


@pytest.mark.asvs("15.2.3")
@pytest.mark.api_top10("API8")
def test_there_is_no_demo_in_production(seeded: Shell) -> None:
    with seeded.serving(ENVIRONMENT="test") as lines:
        url = lines[-1].rpartition(" ")[2]
        for path in ("/demo", "/demo/credentials.json"):
            assert httpx2.get(f"{url}{path}").status_code == 404
