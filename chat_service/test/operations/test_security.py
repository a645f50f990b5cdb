"""`/.well-known/security.txt`: where to report a weakness, and for how long that is true."""

from datetime import date

import pytest

from chat_service.app import Service
from chat_service.config import Security
from chat_service.operations.security import security_text
from chat_service.test.browsers import another_installation

PATH = "/.well-known/security.txt"
CONTACT = "mailto:security@example.org"
PUBLIC = "https://chat.example.org"


def test_it_is_good_for_a_year_from_the_start_of_the_day() -> None:
    assert security_text(CONTACT, PUBLIC, today=date(2026, 11, 26)) == (
        f"Contact: {CONTACT}\r\nExpires: 2027-11-26T00:00:00Z\r\nCanonical: {PUBLIC}{PATH}\r\n"
    )


def test_without_a_public_url_it_does_not_say_where_it_is() -> None:
    assert "Canonical" not in (security_text(CONTACT, "", today=date(2026, 11, 26)) or "")


@pytest.mark.parametrize("contact", [CONTACT, ""])
async def test_it_is_there_where_a_contact_is_told(service: Service, contact: str) -> None:
    security = Security(contact)
    async with another_installation(service, "http://test", PUBLIC, security=security) as client:
        response = await client.get(PATH, headers={"Host": "evil.example"})
    assert response.status_code == (200 if contact else 404)
    if contact:
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert f"Contact: {CONTACT}\r\n" in response.text and "evil" not in response.text
