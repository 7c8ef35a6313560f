"""How our errors look to Temporal: what is business as usual leaves no trace in a log."""

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import RETRIED, from_temporal, to_temporal
from escrow.domain import errors
from escrow.domain.errors import BankDeclined, EscrowError, Refused


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


@pytest.mark.parametrize(
    "details", [(), ("words",), (7,), ({},), ({"code": 7, "message": "words", "details": {}},), ({"code": "a"},), ([],)]
)
def test_what_only_looks_like_an_error_of_ours_is_none(details: tuple[object, ...]) -> None:
    assert from_temporal(ApplicationError("words", *details, type="Refused")) is None
    assert from_temporal(ApplicationError("words", {"code": "a", "message": "b", "details": {}}, type="Other")) is None
