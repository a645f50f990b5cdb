"""The sealed text of a flow: whole, of this installation, and with a state of its own."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chat_service.agents.oidc.flow import Flow, Purpose, new_flow, seal, state_of, unseal
from chat_service.schema import WorkspaceId
from chat_service.tokens import Keys

KEYS = Keys(b"k" * 32)
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PLACE = WorkspaceId(UUID(int=7))


def flow(purpose: Purpose = Purpose.LINK) -> Flow:
    """A flow that begins now."""
    return new_flow(PLACE, purpose, UUID(int=8), now=NOW)


@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_sealed_is_read_again(purpose: Purpose) -> None:
    begun = flow(purpose)
    sealed = seal(KEYS, begun)
    assert unseal(KEYS, sealed, state=state_of(sealed)) == begun


def test_the_text_tells_nobody_what_is_in_it() -> None:
    begun = flow()
    sealed = seal(KEYS, begun)
    assert begun.verifier not in sealed and begun.nonce not in sealed
    assert seal(KEYS, begun) != sealed


@pytest.mark.asvs("10.1.2", "11.5.1")
def test_flows_share_no_secret() -> None:
    begun = [flow() for _ in range(100)]
    secrets = {each.nonce for each in begun} | {each.verifier for each in begun}
    assert len(secrets) == 200 and min(map(len, secrets)) >= 43


@pytest.mark.asvs("10.2.1")
def test_the_challenge_is_that_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    begun = flow().model_copy(update={"verifier": verifier})
    assert begun.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("state", ["", "x", "\u00e4", "A" * 43])
@pytest.mark.asvs("10.2.1")
def test_a_state_of_something_else_reads_nothing(state: str) -> None:
    assert unseal(KEYS, seal(KEYS, flow()), state=state) is None


def test_another_installation_reads_nothing() -> None:
    sealed = seal(KEYS, flow())
    assert unseal(Keys(b"K" * 32), sealed, state=state_of(sealed)) is None


@pytest.mark.asvs("9.2.2")
def test_what_was_sealed_for_something_else_reads_as_nothing() -> None:
    sealed = KEYS.seal("another purpose", flow().model_dump_json())
    assert unseal(KEYS, sealed, state=state_of(sealed)) is None


GARBAGE = ["", ".", "....", "x.y.z.a.b", "e30.e30.e30.e30.e30", "\u00e4" * 9, "W10.W10.W10.W10.W10"]


@pytest.mark.parametrize("text", GARBAGE)
def test_what_is_no_flow_reads_as_nothing(text: str) -> None:
    assert unseal(KEYS, text, state=state_of(text)) is None


@pytest.mark.asvs("11.3.3")
def test_a_flow_with_any_letter_changed_reads_as_nothing() -> None:
    sealed = seal(KEYS, flow())
    for at in range(0, len(sealed), 7):
        other = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        assert unseal(KEYS, other, state=state_of(other)) is None, at


def test_a_flow_ends_ten_minutes_after_it_began() -> None:
    assert not flow().has_ended(now=NOW + timedelta(minutes=10))
    assert flow().has_ended(now=NOW + timedelta(minutes=10, seconds=1))
