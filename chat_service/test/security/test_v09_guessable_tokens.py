"""No token, key or secret can be guessed from others, however many somebody has.

Seen elsewhere: file tokens made from a counter, and ids of forms counted up.
"""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from chat_service.inboxes.signing import keys as signing
from chat_service.model import Customer
from chat_service.schema import CustomerId, InboxId, TokenId, WorkspaceId, new_id, utc_now
from chat_service.test.builders import Workspace
from chat_service.test.customers.calls import refresh
from chat_service.test.customers.site import keys_path
from chat_service.tokens import Keys, Refresh, new_secret

MANY = 10_000
WORKSPACE, FAMILY = WorkspaceId(new_id()), TokenId(new_id())


def refresh_tokens() -> Iterator[str]:
    """What tells one generation of a family from the next is the part that nobody can make."""
    keys = Keys(b"0" * 32)
    for generation in range(MANY):
        yield keys.refresh_token(Refresh(WORKSPACE, FAMILY, generation)).rpartition("_")[2]


def access_tokens() -> Iterator[str]:
    """The signatures of tokens that differ in nothing but whose they are."""
    keys, began = Keys(b"0" * 32), utc_now()
    for _ in range(MANY):
        customer = Customer(
            workspace_id=WORKSPACE, id=CustomerId(new_id()), inbox_id=InboxId(WORKSPACE)
        )
        token = keys.customer_token(customer, FAMILY, now=began, lifetime=timedelta(minutes=15))
        yield token.rpartition(".")[2]


SOURCES = {
    "secrets of keys, logins and tickets": lambda: (new_secret() for _ in range(MANY)),
    "secrets of inboxes": lambda: (signing.new_secret() for _ in range(MANY)),
    "refresh tokens": refresh_tokens,
    "access tokens": access_tokens,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.asvs("7.2.3", "11.5.1")
@pytest.mark.api_top10("API2")
def test_ten_thousand_of_them_have_nothing_in_common(source: str) -> None:
    found = list(SOURCES[source]())
    assert len(set(found)) == MANY
    assert len({len(one) for one in found}) == 1
    # Every place takes every letter, so all bits of the text are of use.
    letters = len(set("".join(found)))
    for place in zip(*found, strict=True):
        assert len(set(place)) in (letters, *LAST_LETTERS)
    assert math.log2(letters) * (len(found[0]) - 1) >= 128
    # Neither a counter nor a clock: neighbours share no beginning and no end beyond chance.
    assert max(_shared(one, other) for one, other in pairwise(found)) <= 8
    assert max(Counter(one[:8] for one in found).values()) <= 3


LAST_LETTERS = (4, 16)
"""The last letter of base64 holds 2 or 4 bits."""


def _shared(one: str, other: str) -> int:
    """How many letters two have in common at the same places of their beginning."""
    return next((place for place, (a, b) in enumerate(zip(one, other)) if a != b), len(one))


@pytest.mark.asvs("7.2.3", "11.5.1")
@pytest.mark.api_top10("API2")
async def test_what_is_handed_out_has_as_many_bits(workspace: Workspace) -> None:
    manager, customer = await workspace.key(), await workspace.customer()
    made = (await manager.post(keys_path(workspace), {"algorithm": "HS256"})).json()
    agent = await workspace.agent()
    parts = {
        "inbox": made["secret"],
        "key": manager.token.split("_")[3],
        "agent": agent.token.split("_")[3],
        "refresh": customer.details["refresh_token"].rpartition("_")[2],
    }
    assert {name: len(text) for name, text in parts.items()} == {
        "inbox": 43,  # 256 bits
        "key": 48,  # 192
        "agent": 48,
        "refresh": 64,  # 256
    }


@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_an_id_that_shows_its_time_opens_nothing_alone(workspace: Workspace) -> None:
    """Ids are no secrets: a token with everything right but its secret is none."""
    customer, agent = await workspace.customer(), await workspace.agent()
    prefix, home, family, generation, mac = customer.details["refresh_token"].split("_")
    for guess in ("", "0" * 64, mac[:-1], mac[::-1], mac.upper()):
        text = "_".join([prefix, home, family, generation, guess])
        assert (await refresh(customer, text)).status_code in (400, 422)
    at, home, row, _ = agent.token.split("_")
    for guess in ("", "0" * 48):
        headers = {"Authorization": f"Bearer {at}_{home}_{row}_{guess}"}
        assert (await workspace.client.get("/v1/sessions", headers=headers)).status_code == 401
