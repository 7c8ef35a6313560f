"""How our errors look to Temporal: what is business as usual leaves no trace in a log."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import RETRIED, from_temporal, to_temporal
from escrow.domain import errors
from escrow.domain.errors import BankDeclined, BankUnreachable, EscrowError, Refused


def test_every_error_has_its_row() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EscrowError)}
    assert set(RETRIED) == kinds - {EscrowError}


@pytest.mark.parametrize("kind", list(RETRIED))
def test_a_no_of_the_business_is_benign_and_every_error_comes_back_as_it_was(kind: type[EscrowError]) -> None:
    carried = to_temporal(kind("some_code", "Some words.", {"fact": 1}))
    benign = carried.category is ApplicationErrorCategory.BENIGN
    assert benign == (kind in (Refused, BankDeclined))
    found = from_temporal(carried)
    assert found is not None
    assert (type(found), found.code, found.message, found.details) == (kind, "some_code", "Some words.", {"fact": 1})


def test_while_a_payout_is_under_way_the_bank_is_asked_every_minute_and_a_line_that_is_down_sooner() -> None:
    under_way, down = (to_temporal(BankUnreachable(code, "Words.")) for code in ("earlier_payout_open", "bank_away"))
    assert (under_way.non_retryable, under_way.next_retry_delay) == (False, timedelta(minutes=1))
    assert (down.non_retryable, down.next_retry_delay) == (False, None)


@pytest.mark.parametrize(
    "details", [(), ("words",), (7,), ({},), ({"code": 7, "message": "words", "details": {}},), ({"code": "a"},), ([],)]
)
def test_what_only_looks_like_an_error_of_ours_is_none(details: tuple[object, ...]) -> None:
    assert from_temporal(ApplicationError("words", *details, type="Refused")) is None
    assert from_temporal(ApplicationError("words", {"code": "a", "message": "b", "details": {}}, type="Other")) is None
