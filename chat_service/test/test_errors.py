"""Every error has a code of its own, words for its page, and a place in the tree."""

import re

import pytest

from chat_service import errors
from chat_service.errors import ServiceError, every_error

ERRORS = list(every_error())


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in ERRORS]
    assert len(set(codes)) == len(codes) > 30


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_an_error_says_what_it_is(error: type[ServiceError]) -> None:
    assert re.fullmatch("[a-z_]+", error.code)
    assert error.title and not error.title.endswith(".")
    assert (error.__doc__ or "").strip().endswith(".")
    assert 400 <= error.status < 600


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_the_tree_names_every_error(error: type[ServiceError]) -> None:
    assert re.search(rf"\b{error.__name__}\b", errors.__doc__ or "")


def test_only_what_may_be_sent_again_as_it_is_is_retryable() -> None:
    assert {error.status for error in ERRORS if error.retryable} == {408, 429, 500, 503, 507}
    assert {error.status for error in ERRORS if not error.retryable} < {*range(400, 423), 426}
