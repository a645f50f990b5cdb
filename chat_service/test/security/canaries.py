"""Secrets that are looked for in all that a service tells anybody, and where each was found."""

import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from chat_service.app import Service
from chat_service.events.transaction import reading
from chat_service.model import Base
from chat_service.test.addresses import bare_app
from chat_service.test.builders import unique

TOLD_ONCE: Final = {
    "access_token",
    "refresh_token",
    "ticket",
    "token",
    "secret",
    "recovery_codes",
    "flow",
}
"""Fields of answers that hold a secret."""
DOCUMENTS: Final = {"GET /openapi.json", "GET /asyncapi.json"}
"""They have examples, which open nothing."""
KINDS: Final = {
    "at": "login",
    "il": "link",
    "rt": "refresh token",
    "sk": "API key",
    "tk": "ticket",
}
"""What a token is, by how it begins."""
STORED: Final = {
    "agents.password_hash",
    "agents.recovery_codes",
    "agents.totp_secret",
    "inbox_keys.material",
    "one_time_links.secret_hash",
    "shown_proofs.token_hash",
    "tickets.secret_hash",
    "tokens.secret_hash",
}
"""Columns that hold what a secret is checked by, or a secret that is sealed."""
_VARIABLE: Final = re.compile("<(?:[^:>]*:)?([^>]+)>")
_BRACED: Final = r"{\1}"


@dataclass
class Told:
    """All that was told, by the place where it was: an address, or what else there is."""

    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    secrets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What must not be told elsewhere, by what it is."""

    async def keep(self, response: httpx2.Response) -> None:
        """Remember an answer, and what it is the only one to tell; a hook of a client."""
        await response.aread()
        place = address_of(response.request)
        head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        self.texts[place].append(f"{head}\n{response.text}")
        self.statuses[place].add(response.status_code)
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if is_json and place not in DOCUMENTS:
            self._harvest(place, response.json())
        for cookie in re.findall("__Host-chat=(at_[^;]+)", head):
            self.secrets[KINDS["at"]].add(secret_part(cookie))

    def _harvest(self, place: str, told: Any) -> None:
        for name, value in fields_of(told):
            for text in value if isinstance(value, list) else [value]:
                if name in TOLD_ONCE and isinstance(text, str):
                    self.secrets[kind_of(name, text, place)].add(secret_part(text))

    def canary(self, kind: str) -> str:
        """A word that nothing else contains, and that nobody may be told."""
        self.secrets[kind].add(word := f"canary-{unique()}")
        return word

    def places(self, kind: str) -> set[str]:
        """Where secrets of a kind were told."""
        return {
            place
            for place, texts in self.texts.items()
            if any(secret in text for text in texts for secret in self.secrets[kind])
        }

    def times(self, secret: str) -> int:
        """How often a secret was told."""
        return sum(secret in text for texts in self.texts.values() for text in texts)


def fields_of(told: Any) -> Iterator[tuple[str, Any]]:
    """Every field of an answer, however deep."""
    for each in told if isinstance(told, list) else [told]:
        if isinstance(each, dict):
            yield from each.items()
            for value in each.values():
                yield from fields_of(value)


def kind_of(name: str, text: str, place: str) -> str:
    """What a secret is that stands in a field of an answer."""
    if text[2:3] == "_":
        return KINDS[text[:2]]
    return "access token" if name == "access_token" else f"{name} of {place}"


def secret_part(text: str) -> str:
    """What of a token is secret, and not the name of something: of a JWT its signature."""
    if re.match("(sk|at|tk|il|rt)_", text):
        return text.rpartition("_")[2]
    return text.rpartition(".")[2] if text.startswith("eyJ") else text


def address_of(request: httpx2.Request) -> str:
    """The address of a request, as in the API's document."""
    matcher = bare_app().url_map.bind("test")
    try:
        rule, _ = matcher.match(request.url.path, request.method, return_rule=True)
    except HTTPException:
        return "nowhere"
    return f"{request.method} {_VARIABLE.sub(_BRACED, rule.rule)}"


def columns_like_secrets() -> set[str]:
    """Columns whose names say that they hold something of a secret."""
    words = re.compile("hash|secret|password|recovery|material|sealed|verifier|nonce")
    return {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if words.search(column.name)
    }


async def stored_secrets(service: Service) -> dict[str, set[str]]:
    """The values of those columns, in every form in which they might be told."""
    found: dict[str, set[str]] = {}
    with service.database.bound():
        async with reading() as db:
            for name in STORED:
                table, column = name.split(".")
                rows = await db.scalars(select(Base.metadata.tables[table].c[column]))
                found[name] = {form for value in rows if value for form in forms(value)}
    return found


def forms(value: Any) -> Iterator[str]:
    """How a stored value might look in a text."""
    if isinstance(value, list):
        for each in value:
            yield from forms(each)
    elif isinstance(value, bytes):
        yield value.hex()
        yield base64.b64encode(value).decode().rstrip("=")
        yield base64.urlsafe_b64encode(value).decode().rstrip("=")
    else:
        yield str(value)
