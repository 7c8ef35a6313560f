"""What a mandate allows: only while it is in force, and only within both of its caps."""

from datetime import date, datetime, timedelta

import pytest

from escrow.domain.collections.mandates import (
    MandateStatus,
    ends_at,
    mandate_operation_hash,
    mandate_terms,
    require_in_force,
    require_within_caps,
)
from escrow.domain.errors import Refused
from escrow.domain.time.calendars import SHANGHAI

LAST_DAY = date(2026, 3, 31)
TERMS = mandate_terms(account_id="A-1", per_debit_fen=1_000, per_day_fen=2_000, last_day=LAST_DAY)


def within_caps(amount_fen: int, debited_today_fen: int = 0) -> None:
    require_within_caps(
        mandate_no="M-1", amount_fen=amount_fen, per_debit_fen=1_000, per_day_fen=2_000,
        debited_today_fen=debited_today_fen,
    )  # fmt: skip


def in_force(status: MandateStatus, now: datetime) -> None:
    require_in_force(status, LAST_DAY, mandate_no="M-1", now=now)


def test_the_last_day_counts_in_full() -> None:
    in_force(MandateStatus.ACTIVE, datetime(2026, 3, 31, 23, 59, 59, tzinfo=SHANGHAI))
    with pytest.raises(Refused, match="expired") as refused:
        in_force(MandateStatus.ACTIVE, datetime(2026, 4, 1, tzinfo=SHANGHAI))
    assert refused.value.details["status"] == "expired"
    assert ends_at(LAST_DAY) == datetime(2026, 4, 1, tzinfo=SHANGHAI)


@pytest.mark.parametrize("status", [status for status in MandateStatus if status is not MandateStatus.ACTIVE])
def test_only_an_active_mandate_allows_anything(status: MandateStatus) -> None:
    with pytest.raises(Refused) as refused:
        in_force(status, ends_at(LAST_DAY) - timedelta(days=10))
    assert (refused.value.code, refused.value.details["status"]) == ("mandate_not_in_force", status.value)


def test_both_caps_include_themselves() -> None:
    within_caps(1_000, 1_000)
    for amount_fen, before_fen, cap in ((1_001, 0, "per_debit"), (1_000, 1_001, "per_day")):
        with pytest.raises(Refused) as refused:
            within_caps(amount_fen, before_fen)
        assert (refused.value.code, refused.value.details["cap"]) == ("mandate_cap_exceeded", cap)


def test_every_term_is_part_of_what_is_signed() -> None:
    def hashed(terms: dict[str, object]) -> str:
        return mandate_operation_hash(
            platform_no="HOME", mandate_no="M-1", operation="sign_mandate", by="O-1", terms=terms
        )

    changed = {"account_id": "A-2", "per_debit_fen": 1_001, "per_day_fen": 2_001, "last_day": "2026-04-01",
               "text_version": "mandate-0"}  # fmt: skip
    assert set(changed) == set(TERMS)
    assert len({hashed({**TERMS, name: value}) for name, value in changed.items()} | {hashed(TERMS)}) == 6
