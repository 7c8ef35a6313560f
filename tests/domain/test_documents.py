"""What is absent: None for whoever asks, and in documents the empty text that earlier versions wrote."""

from collections.abc import Callable
from typing import Any

import pytest

from escrow.domain.collections.batch import BATCHES
from escrow.domain.collections.methods import Interaction
from escrow.domain.collections.refund import REFUNDS
from escrow.domain.collections.terms import collecting_terms, collection_terms
from escrow.domain.decisions import Stored
from escrow.domain.orders.operations import pay_terms
from escrow.domain.transfers.suspense_returns import suspense_return_terms
from escrow.domain.withdrawals.state import Attempt
from workflows.batch_messages import BatchPaymentOutcome

DIRECT = {
    "consent_no": "R-1", "pay_in_no": "D-1:pay:1", "collection_no": "D-1:pay:1:collect:1", "method": "qr_wechat",
    "payment_no": "P-1", "paid_fen": 10_000, "settles_on": "2026-03-04",
}  # fmt: skip
BATCH = {
    "payer_no": "O-1", "paid_by": "qr_wechat", "orders": [], "total_fen": 100, "frozen_fen": 0, "config_version": 1,
    "waits_until": None, "counted_on": None, "direct": None, "reason": "",
}  # fmt: skip
REFUND = {
    "order_no": "D-1", "owner_no": "O-1", "amount_fen": 4_000, "direct": DIRECT, "reason": "", "begun_at": None,
    "lost": 0, "credited_at": None, "told": False, "untold": "", "attention": None,
}  # fmt: skip
ATTEMPT = {
    "number": 1, "rail": "ibps", "request_no": "W-1:payout:1", "sent_at": "2026-03-03T12:00:00+08:00",
    "outcome": "sent", "reason": "", "bank_serial_no": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("restored", "status", "body"),
    [(BATCHES.restored, "awaiting_payment", BATCH), (REFUNDS.restored, "under_way", REFUND)],
)
@pytest.mark.parametrize(("written", "meant"), [("", None), ("too late", "too late")])
def test_a_reason_is_read_and_written_as_before(
    restored: Callable[[Stored], Any], status: str, body: dict[str, Any], written: str, meant: str | None
) -> None:
    body = {**body, "reason": written}
    found = restored(Stored(platform_no="HOME", object_no="X-1", version=1, status=status, body=body))

    assert found.state.reason == meant
    assert found.document() == body


@pytest.mark.parametrize("said", [{}, {"reason": "no"}, {"bank_serial_no": "B-1", "outcome": "succeeded"}])
def test_a_payment_order_is_read_and_written_as_before(said: dict[str, str]) -> None:
    attempt = Attempt.model_validate({**ATTEMPT, **said})

    assert attempt.model_dump(mode="json") == {**ATTEMPT, **said}
    assert (attempt.reason, attempt.bank_serial_no) == (said.get("reason"), said.get("bank_serial_no"))


def test_the_outcome_of_a_process_is_read_and_written_as_before() -> None:
    written = '{"batch_no":"B-1","status":"paid","frozen_fen":100,"reason":""}'
    outcome = BatchPaymentOutcome.model_validate_json(written)

    assert outcome.reason is None
    assert outcome.model_dump_json() == written


def test_what_a_payer_has_to_do_is_written_as_before() -> None:
    assert Interaction(kind="none").document() == {
        "kind": "none", "url": "", "qr_content": "", "app_parameters": {}, "code_expires_at": None,
    }  # fmt: skip


def test_terms_of_a_consent_leave_out_what_is_absent_or_have_it_empty_as_before() -> None:
    how = collection_terms(method="qr_wechat", amount_fen=100)
    assert how == {"method": "qr_wechat", "amount_fen": 100}
    assert collecting_terms(how, subject="x", expires_in_minutes=30) == {
        **how,
        "subject": "x",
        "expires_in_minutes": 30,
    }
    assert pay_terms(total_fen=100, inspection_days=7) == {"amount_fen": 100, "silence_is_acceptance_after_days": 7}
    assert suspense_return_terms(credit_no="B-1", principal_fen=100, cnaps_code="") == {
        "credit_no": "B-1", "principal_fen": 100, "cnaps_code": "", "payee_digest": "",
    }  # fmt: skip
