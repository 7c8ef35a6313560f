"""Business with channels on the books of the ledger tests: taken, settled, given back, assigned, micro-deposits."""

import json
from typing import Any

import asyncpg

from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.methods import CollectionMethod, Settlement
from escrow.domain.members import verification_recipes
from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg, direct_leg
from escrow.domain.money.journal import Basis, Change, JournalEntry
from escrow.domain.requests import operation_hash
from escrow.domain.transfers import moves as transfers
from escrow.domain.transfers import suspense_returns
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import CLOSED, DAY, HOME, booked_by_bank, fresh, posting

QR, CARD = CollectionMethod.QR_WECHAT, CollectionMethod.ACQUIRING
_NONE = (Basis(kind="none"),)


async def consented(
    owner: asyncpg.Connection,
    kind: str,
    object_no: str,
    *,
    by: str = "O-1",
    platform_no: str = HOME,
    operation: str = "",
    consent_no: str = "",
    **terms: Any,
) -> tuple[Basis, ...]:
    """The recorded consent of a member, as a basis.

    Args:
        operation: named like its kind unless told otherwise.
        consent_no: a fresh number unless one is given.
    """
    consent_no, operation = consent_no or fresh("consent"), operation or kind
    digest = operation_hash(
        platform_no=platform_no, object_kind=kind, object_no=object_no, operation=operation, by=by, terms=terms
    )
    await owner.execute(
        "INSERT INTO consent (platform_no, consent_no, content_hash, object_kind, object_no, operation, given_by,"
        " terms, operation_hash, method, text_version, expires_at) VALUES"
        " ($1, $2, '', $3, $4, $8, $5, $6, $7, '', '', now() + interval '1 hour')",
        platform_no,
        consent_no,
        kind,
        object_no,
        by,
        json.dumps(terms),
        digest,
        operation,
    )
    return (Basis(kind="consent", reference=consent_no, operation_hash=digest),)


async def collected_business(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """Three payments of two channels, their settlements, what goes back of them, and the platform's micro-deposit."""
    await _payments(owner, writer)
    await _suspense(owner, writer)
    await _direct_refund(owner, writer)
    await _settlements(owner, writer)
    await _micro_deposit(owner, writer)
    await _post(writer, None, Change(kind="member", object_no="O-1", event_type="member.opened", status="active"))


async def _payments(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """P-1 tops up with 20 fen too much, which go back; P-2 belongs to nobody; P-3 pays an order."""
    credited = collection_recipes.collection_credited(
        platform_no=HOME, channel=QR, member_no="O-1", payment_no="P-1", paid_fen=320, asked_fen=300, pending_day=CLOSED
    )
    bases = await consented(owner, "pay_in", "T-1", amount_fen=300)
    await _post(writer, credited, _change("pay_in", "T-1", "paid"), bases, number=":channel-payment:P-1")
    held = collection_recipes.suspense_return_held(platform_no=HOME, payment_no="P-1", amount_fen=20)
    await _post(writer, held, _change("pay_in", "T-1", "paid"))
    given = collection_recipes.channel_refunded(platform_no=HOME, channel=QR, payment_no="P-1", amount_fen=20)
    await _post(writer, given, _change("pay_in", "T-1", "paid"))
    unknown = collection_recipes.collection_suspended(platform_no=HOME, channel=QR, payment_no="P-2", paid_fen=70)
    await _post(writer, unknown, _change("bank_credit", "P-2", "suspended"), number=":channel-payment:P-2")
    direct = collection_recipes.order_paid_directly(
        platform_no=HOME,
        channel=CARD,
        owner_no="O-1",
        order_no="D-3",
        payment_no="P-3",
        paid_fen=400,
        price_fen=400,
    )
    figures = {
        "paid_fen": 400,
        "contract": {"commission_basis_points": 0},
        "funding": [{"source": "direct:P-3", "amount_fen": 400, "refunded_fen": 0}],
    }
    bases = await consented(owner, "order", "D-3", amount_fen=400)
    await _post(writer, direct, _change("order", "D-3", "paid", figures), bases, number=":channel-payment:P-3")
    legs = (FundingLeg(source=f"pending:{CLOSED}", amount_fen=30),)
    made = transfers.payment_made(platform_no=HOME, payer_no="O-1", payee_no="C-1", legs=legs, pending_day=None)
    bases = await consented(owner, "payment", "PM-1", amount_fen=30)
    facts = {"subject_no": "C-1", "member_no": "O-1", "amount_fen": 30}
    await _post(writer, made, _change("payment", "PM-1", "done", facts), bases)


async def _suspense(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """Of P-2, 50 fen are assigned and 20 of those taken back; 10 fen cannot be returned, 7 not be paid out."""
    assigned = transfers.suspense_assigned(
        platform_no=HOME, credit_no="P-2", member_no="O-1", amount_fen=50, pending_day=None
    )
    facts = {"subject_no": "P-2", "member_no": "O-1", "amount_fen": 50, "reversed_fen": 0}
    bases = await consented(owner, "assignment", "AS-1", by="platform")
    await _post(writer, assigned, _change("assignment", "AS-1", "done", facts), bases)
    back = transfers.assignment_reversed(
        platform_no=HOME,
        credit_no="P-2",
        member_no="O-1",
        legs=(FundingLeg(source="withdrawable", amount_fen=20),),
    )
    facts = {"subject_no": "AS-1", "member_no": "O-1", "amount_fen": 20}
    bases = await consented(owner, "reversal", "RV-1", by="platform")
    assignment = _change("assignment", "AS-1", "done", {"reversed_fen": 20})
    await writer.post(
        posting(entry=back, bases=bases, changes=(_change("reversal", "RV-1", "done", facts), assignment))
    )
    held = collection_recipes.suspense_return_held(platform_no=HOME, payment_no="P-2", amount_fen=10)
    await _post(writer, held, _change("bank_credit", "P-2", "suspended"))
    failed = collection_recipes.suspense_return_failed(platform_no=HOME, payment_no="P-2", amount_fen=10)
    await _post(writer, failed, _change("bank_credit", "P-2", "suspended"))
    await _sent_back(owner, writer)


async def _sent_back(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """7 fen of P-2 are sent back, which fails."""
    sent: dict[str, Any] = {"platform_no": HOME, "credit_no": "P-2", "return_no": "SR-1", "amount_fen": 7}
    requested = suspense_returns.suspense_payout_requested(**sent)
    terms: dict[str, Any] = {"credit_no": "P-2", "principal_fen": 7}
    bases = await consented(owner, "withdrawal", "SR-1", by="platform", operation="return_suspense", **terms)
    await _post(writer, requested, _change("withdrawal", "SR-1", "held", terms), bases, number="SR-1:hold")
    failed = suspense_returns.suspense_payout_failed(**sent)
    await _post(writer, failed, _change("withdrawal", "SR-1", "failed"), number="SR-1:return")


async def _direct_refund(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """The order that P-3 paid is cancelled; the channel does not give the money back."""
    parts = (direct_leg(payment_no="P-3", amount_fen=400),)
    refunded = recipes.order_refunded(platform_no=HOME, owner_no="O-1", order_no="D-3", parts=parts)
    bases = await consented(owner, "order", "D-3", cancel=True)
    await _post(writer, refunded, _change("order", "D-3", "cancelled", {"refunded_fen": 400}), bases)
    credited = collection_recipes.refund_credited(
        platform_no=HOME, owner_no="O-1", payment_no="P-3", amount_fen=400, pending_day=None
    )
    await _post(writer, credited, _change("refund", "D-3", "credited"))


async def _settlements(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """The QR channel settles less its fee; the card channel charges it beside."""
    for number, method, paid_fen, refunded_fen, fee_fen in (("S-1", QR, 390, 20, 2), ("S-2", CARD, 400, 0, 3)):
        net = method is QR
        brought_fen = paid_fen - refunded_fen - (fee_fen if net else 0)
        serial_no = await booked_by_bank(owner, brought_fen, kind="settlement", request_no=number)
        settlement = Settlement(
            settlement_no=number,
            method=method,
            day=DAY,
            paid_fen=paid_fen,
            refunded_fen=refunded_fen,
            fee_fen=fee_fen,
            net_of_fees=net,
            bank_serial_no=serial_no,
            items=(),
        )
        settled = collection_recipes.channel_settled(
            platform_no=HOME,
            settlement=settlement,
            brought_fen=brought_fen,
            bank_serial_no=serial_no,
            effective_date=DAY,
        )
        figures = {
            "settlement_no": number,
            "method": method.value,
            "paid_fen": paid_fen,
            "refunded_fen": refunded_fen,
            "fee_fen": fee_fen,
            "net_of_fees": net,
        }
        bases = (Basis(kind="bank_line", reference=serial_no),)
        await _post(writer, settled, _change("settlement", serial_no, "booked", figures), bases)
    serial_no = await booked_by_bank(owner, -3, kind="charge", request_no="S-2")
    charge = recipes.bank_charge_booked(platform_no=HOME, amount_fen=3, bank_serial_no=serial_no, effective_date=DAY)
    bases = (Basis(kind="bank_line", reference=serial_no),)
    await _post(writer, charge, _change("bank_charge", serial_no, "booked"), bases)


async def _micro_deposit(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """13 fen of the platform's own money leave for a verification and come back."""
    await owner.execute(
        "INSERT INTO platform (platform_no, name, custody_account_no, opened_at) VALUES ($1, '', $1, now())", HOME
    )
    await owner.execute(
        "INSERT INTO platform_config (platform_no, version, document, recorded_at)"
        """ VALUES ($1, 1, '{"business_model": "marketplace"}', now())""",
        HOME,
    )
    await owner.execute(
        "INSERT INTO verification_sending (platform_no, verification_no, number, request_no, bank_request_no,"
        " account_no_index, status, opened_at) VALUES ($1, 'V-1', 1, 'V-1', 'HOME/V-1:micro_deposit:1', '', 'sent',"
        " now())",
        HOME,
    )
    for kind, amount_fen in (("micro_deposit", -13), ("micro_deposit_return", 13)):
        serial_no = await booked_by_bank(owner, amount_fen, kind=kind, request_no="HOME/V-1:micro_deposit:1")
        make = (
            verification_recipes.micro_deposit_sent if amount_fen < 0 else verification_recipes.micro_deposit_returned
        )
        entry = make(platform_no=HOME, amount_fen=13, bank_serial_no=serial_no, effective_date=DAY)
        bases = (Basis(kind="bank_line", reference=serial_no),)
        await _post(writer, entry, _change("micro_deposit", serial_no, "booked"), bases)


def _change(kind: str, object_no: str, status: str, body: dict[str, Any] | None = None) -> Change:
    return Change(kind=kind, object_no=object_no, event_type=f"{kind}.{status}", status=status, body=body or {})


async def _post(
    writer: LedgerWriter,
    entry: JournalEntry | None,
    change: Change,
    bases: tuple[Basis, ...] = _NONE,
    *,
    number: str = "",
) -> None:
    await writer.post(posting(entry=entry, bases=bases, changes=(change,), request_no=number))
