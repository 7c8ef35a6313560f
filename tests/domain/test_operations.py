"""What can be authorised is read from what waits with its link, as every version has stored it."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import Refused
from escrow.domain.operations.asked import AskedFor
from escrow.domain.operations.members import BindAccount, CloseMember, SignMandate, UnbindAccount
from escrow.domain.operations.of_link import Operation, operation_of
from escrow.domain.operations.orders import CommandOrder, OrderToPay, PayDirectly, PayingBy, PayTogether
from escrow.domain.operations.transfers import PayAtOnce, Withdraw
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.opening import OpeningTerms, contract_of
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.config import PlatformConfig

SHARE = {"order_no": "D-1", "payee_no": "C-1", "amount_fen": 100, "silence_is_acceptance_after_days": 7}
BATCH = {"orders": [SHARE], "total_fen": 100}
BOUND = {
    "account_digest": "d",
    "account_no_masked": "6216****0018",
    "is_corporate": False,
    "cnaps_code": "",
    "bank_name": "中国银行",
    "make_default": True,
}
CAPS = {"per_debit_fen": 100, "per_day_fen": 200, "last_day": "2027-12-31", "text_version": "mandate-1"}


def waiting(
    kind: str, object_no: str, operation: str, terms: Any, member_no: str = "O-1", **carry_out: Any
) -> AskedFor:
    """What stands in a link; the number of the consent is `R-1`."""
    content = {
        "object_kind": kind,
        "object_no": object_no,
        "operation": operation,
        "terms": terms,
        "operation_hash": "hash",
        "carry_out": {**carry_out, "valid_minutes": 1440},
    }
    return AskedFor.of_link(content, number="R-1", member_no=member_no)


def read(asked: AskedFor) -> Operation:
    return operation_of(asked, opened=lambda account_id, sealed: (f"{sealed} of {account_id}", "王小明"))


@pytest.mark.parametrize(
    ("asked", "operation"),
    [
        (
            waiting("order", "D-1", "accept", {"milestone": 2, "amount_fen": 100}, milestone=2, note="good"),
            CommandOrder(
                order_no="D-1",
                command=PartyCommand(
                    operation=OrderCommand.ACCEPT, request_no="R-1", by="O-1", milestone=2, note="good"
                ),
            ),
        ),
        (
            # As it was kept before cards and mandates were named with it.
            waiting("order", "D-1", "pay", {"method": "qr_wechat"}, expires_in_minutes=20, return_url="https://x"),
            PayDirectly(
                order_no="D-1",
                request_no="R-1",
                by="O-1",
                how=PayingBy(method=CollectionMethod.QR_WECHAT, expires_in_minutes=20, return_url="https://x"),
            ),
        ),
        (
            waiting("order", "D-1", "pay", {"method": "quick"}, account_id="A-1", mandate_no=None),
            PayDirectly(
                order_no="D-1",
                request_no="R-1",
                by="O-1",
                how=PayingBy(method=CollectionMethod.QUICK, account_id="A-1"),
            ),
        ),
        (
            waiting("withdrawal", "W-1", "withdraw", {"account_id": "A-1", "principal_fen": 5, "fee_fen": 1}),
            Withdraw(withdrawal_no="W-1", member_no="O-1", account_id="A-1", principal_fen=5),
        ),
        (
            waiting("withdrawal", "W-1", "withdraw", {"account_id": "", "principal_fen": 5}, member_no=""),
            Withdraw(withdrawal_no="W-1", member_no=None, account_id=None, principal_fen=5),
        ),
        (
            waiting("payment", "P-1", "payment", {"subject_no": "", "member_no": "O-1", "amount_fen": 5}),
            PayAtOnce(payment_no="P-1", payer_no="O-1", payee_no=None, amount_fen=5),
        ),
        (
            waiting("batch_payment", "B-1", "batch_payment", {**BATCH, "paid_by": "balance"}),
            PayTogether(batch_no="B-1", payer_no="O-1", orders=(OrderToPay(order_no="D-1", amount_fen=100),)),
        ),
        (
            waiting("batch_payment", "B-1", "batch_payment", {**BATCH, "paid_by": "qr_qq"}, method="qr_qq"),
            PayTogether(
                batch_no="B-1",
                payer_no="O-1",
                orders=(OrderToPay(order_no="D-1", amount_fen=100),),
                collection=PayingBy(method=CollectionMethod.QR_QQ),
            ),
        ),
        (
            waiting("mandate", "M-1", "sign_mandate", {"account_id": "A-1", **CAPS}),
            SignMandate(
                mandate_no="M-1",
                member_no="O-1",
                account_id="A-1",
                per_debit_fen=100,
                per_day_fen=200,
                last_day=date(2027, 12, 31),
            ),
        ),
        (
            waiting("bank_account", "A-2", "bind", BOUND, sealed="6216"),
            BindAccount(
                member_no="O-1",
                account_id="A-2",
                account_no="6216 of A-2",
                account_name="王小明",
                is_corporate=False,
                cnaps_code="",
                bank_name="中国银行",
                make_default=True,
            ),
        ),
        (
            waiting("bank_account", "A-2", "unbind", {"account_no_masked": "6216****0018"}, request_no="2"),
            UnbindAccount(member_no="O-1", account_id="A-2", request_no="2"),
        ),
        (waiting("member", "O-1", "close", {}), CloseMember(member_no="O-1", request_no="R-1")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_waits_with_a_link_is_read_as_what_was_asked_for(asked: AskedFor, operation: Operation) -> None:
    assert read(asked) == operation
    # What it takes besides, kept again, makes the same value.
    kept = {"sealed": "6216"} if isinstance(operation, BindAccount) else operation.carry_out()
    again = waiting(
        asked.object_kind, asked.object_no, asked.operation, asked.terms, member_no=asked.member_no or "", **kept
    )
    assert read(again) == operation


def test_what_concerns_nothing_of_ours_is_no_operation() -> None:
    with pytest.raises(ValueError, match="nothing carries out"):
        read(waiting("lottery", "L-1", "win", {}))


def test_a_value_that_no_endpoint_would_take_is_none() -> None:
    share = OrderToPay(order_no="D-1", amount_fen=1)
    with pytest.raises(ValidationError, match="named once"):
        PayTogether(batch_no="B-1", payer_no="O-1", orders=(share, share))
    with pytest.raises(ValidationError, match="account_id belongs to quick alone"):
        PayingBy(method=CollectionMethod.QR_QQ, account_id="A-1")
    with pytest.raises(ValidationError, match="per_day_fen"):
        read(waiting("mandate", "M-1", "sign_mandate", {"account_id": "A-1", **CAPS, "per_day_fen": 99}))
    with pytest.raises(ValidationError, match="principal_fen"):
        read(waiting("withdrawal", "W-1", "withdraw", {"account_id": "", "principal_fen": 0}))


def test_a_number_in_the_clear_is_not_shown_with_the_value() -> None:
    shown = repr(read(waiting("bank_account", "A-2", "bind", BOUND, sealed="6216261000000000018")))
    assert "6216261000000000018" not in shown
    assert "王小明" not in shown


def test_no_order_is_opened_where_guaranteed_payment_is_off() -> None:
    config = PlatformConfig.model_validate({"functions": {"guaranteed_payment": False}})
    terms = OpeningTerms(order_no="D-1", owner_no="O-1", contractor_no="C-1", total_fen=1_000)
    with pytest.raises(Refused) as refused:
        contract_of(terms, platform_no="HOME", config=config, config_version=1)
    assert (refused.value.code, refused.value.details) == ("function_off", {"function": "guaranteed_payment"})
