"""Random business with channels: each payment, return, assignment and settlement has one number and is wanted often.

What is wanted twice at once is booked once; what is wanted too early finds no money and is refused.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.methods import Settlement
from escrow.domain.members import verification_recipes
from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg, direct_leg
from escrow.domain.money.journal import Basis, Change, JournalEntry, Posting
from escrow.domain.requests import operation_hash
from escrow.domain.transfers import moves as transfers
from escrow.domain.transfers import suspense_returns
from tests.ledger.books import DAY, NOON
from tests.ledger.collected import QR

WANTED = (
    *(
        "collect",
        "collect_unknown",
        "pay_directly",
        "cancel",
        "refund_ends",
        "hold",
        "return_ends",
        "assign",
        "reverse",
    ),
    *("pay_out", "pay_out_fails", "settle", "own", "micro_deposit", "pay"),
)
#: What a payment brings, what was asked, and what its channel takes for it.
_PAID_FEN, _ASKED_FEN, _FEE_FEN = 100, 60, 1
_EXCESS_FEN = _PAID_FEN - _ASKED_FEN


@dataclass(frozen=True)
class Wanted:
    """A posting with what it stands on: the consent's facts, or the bank's line."""

    posting: Posting
    consent: dict[str, Any] = field(default_factory=dict)
    line: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Collecting:
    """Makes what is wanted on one platform, of one payment in a small number of them."""

    platform_no: str
    payment: int

    def wanted(self, kind: str, acknowledged: Collection[str]) -> Wanted | None:
        """What a caller sends who wants this; None for what nobody can want yet."""
        make: Callable[[], Wanted] = getattr(self, f"_{kind}")
        if kind == "reverse" and f"AS-{self.payment}" not in acknowledged:
            return None
        return make()

    @property
    def _last(self) -> bool:
        return self.payment % 2 == 1

    def _collect(self) -> Wanted:
        number = f"P-{self.payment}"
        entry = collection_recipes.collection_credited(
            platform_no=self.platform_no,
            channel=QR,
            member_no="M-1",
            payment_no=number,
            paid_fen=_PAID_FEN,
            asked_fen=_ASKED_FEN,
            pending_day=DAY,
        )
        return self._consented(f":channel-payment:{number}", entry, "pay_in", f"T-{number}", amount_fen=_ASKED_FEN)

    def _collect_unknown(self) -> Wanted:
        number = f"U-{self.payment}"
        entry = collection_recipes.collection_suspended(
            platform_no=self.platform_no, channel=QR, payment_no=number, paid_fen=_PAID_FEN
        )
        return self._made(f":channel-payment:{number}", entry, _change("bank_credit", number))

    def _pay_directly(self) -> Wanted:
        entry = collection_recipes.order_paid_directly(
            platform_no=self.platform_no,
            channel=QR,
            owner_no="M-1",
            order_no=self._order_no,
            payment_no=self._direct_no,
            paid_fen=_PAID_FEN,
            price_fen=_ASKED_FEN,
        )
        number = f":channel-payment:{self._direct_no}"
        return self._consented(number, entry, "order", self._order_no, amount_fen=_ASKED_FEN)

    def _cancel(self) -> Wanted:
        parts = (direct_leg(payment_no=self._direct_no, amount_fen=_ASKED_FEN),)
        entry = recipes.order_refunded(
            platform_no=self.platform_no, owner_no="M-1", order_no=self._order_no, parts=parts
        )
        return self._consented(f"{self._order_no}:cancel", entry, "order", self._order_no)

    def _refund_ends(self) -> Wanted:
        entry = (
            self._given_back(self._direct_no, _ASKED_FEN)
            if self._last
            else collection_recipes.refund_credited(
                platform_no=self.platform_no,
                owner_no="M-1",
                payment_no=self._direct_no,
                amount_fen=_ASKED_FEN,
                pending_day=None,
            )
        )
        return self._made(f"{self._order_no}:refund:1:end", entry, _change("refund", self._order_no))

    def _hold(self) -> Wanted:
        number = f"P-{self.payment}"
        entry = collection_recipes.suspense_return_held(
            platform_no=self.platform_no, payment_no=number, amount_fen=_EXCESS_FEN
        )
        return self._made(f"{number}:hold", entry, _change("pay_in", f"T-{number}"))

    def _return_ends(self) -> Wanted:
        number = f"P-{self.payment}"
        entry = (
            self._given_back(number, _EXCESS_FEN)
            if self._last
            else collection_recipes.suspense_return_failed(
                platform_no=self.platform_no, payment_no=number, amount_fen=_EXCESS_FEN
            )
        )
        return self._made(f"{number}:end", entry, _change("pay_in", f"T-{number}"))

    def _assign(self) -> Wanted:
        entry = transfers.suspense_assigned(
            platform_no=self.platform_no,
            credit_no=f"U-{self.payment}",
            member_no="M-2",
            amount_fen=50,
            pending_day=None,
        )
        facts = {"subject_no": f"U-{self.payment}", "member_no": "M-2", "amount_fen": 50, "reversed_fen": 0}
        number = f"AS-{self.payment}"
        return self._consented(number, entry, "assignment", number, by="platform", body=facts)

    def _reverse(self) -> Wanted:
        entry = transfers.assignment_reversed(
            platform_no=self.platform_no,
            credit_no=f"U-{self.payment}",
            member_no="M-2",
            legs=(FundingLeg(source="withdrawable", amount_fen=20),),
        )
        facts = {"subject_no": f"AS-{self.payment}", "member_no": "M-2", "amount_fen": 20}
        back = Change(
            kind="assignment",
            object_no=f"AS-{self.payment}",
            event_type="assignment.reversed",
            status="done",
            body={"reversed_fen": 20},
        )
        number = f"RV-{self.payment}"
        return self._consented(number, entry, "reversal", number, by="platform", body=facts, more=(back,))

    def _pay_out(self) -> Wanted:
        number, credit_no = f"SR-{self.payment}", f"U-{self.payment}"
        entry = suspense_returns.suspense_payout_requested(
            platform_no=self.platform_no, credit_no=credit_no, return_no=number, amount_fen=30
        )
        return self._consented(
            f"{number}:hold",
            entry,
            "withdrawal",
            number,
            by="platform",
            operation=suspense_returns.RETURN_SUSPENSE,
            body={"credit_no": credit_no},
            credit_no=credit_no,
            principal_fen=30,
        )

    def _pay_out_fails(self) -> Wanted:
        entry = suspense_returns.suspense_payout_failed(
            platform_no=self.platform_no, credit_no=f"U-{self.payment}", return_no=f"SR-{self.payment}", amount_fen=30
        )
        return self._made(f"SR-{self.payment}:return", entry, _change("withdrawal", f"SR-{self.payment}"))

    def _settle(self) -> Wanted:
        serial_no = f"S-{self.payment}"
        brought_fen = _PAID_FEN - _FEE_FEN
        settlement = Settlement(
            settlement_no=serial_no,
            method=QR,
            day=DAY,
            paid_fen=_PAID_FEN,
            refunded_fen=0,
            fee_fen=_FEE_FEN,
            net_of_fees=True,
            bank_serial_no=serial_no,
            items=(),
        )
        entry = collection_recipes.channel_settled(
            platform_no=self.platform_no,
            settlement=settlement,
            brought_fen=brought_fen,
            bank_serial_no=serial_no,
            effective_date=DAY,
        )
        figures = {
            "settlement_no": serial_no,
            "method": QR.value,
            "paid_fen": _PAID_FEN,
            "refunded_fen": 0,
            "fee_fen": _FEE_FEN,
            "net_of_fees": True,
        }
        return self._on_line(entry, brought_fen, "settlement", _change("settlement", serial_no, figures))

    def _own(self) -> Wanted:
        serial_no = f"O-{self.payment}"
        entry = recipes.own_credited(
            platform_no=self.platform_no, amount_fen=20, bank_serial_no=serial_no, effective_date=DAY
        )
        return self._on_line(entry, 20, "inbound", _change("bank_credit", serial_no))

    def _micro_deposit(self) -> Wanted:
        serial_no = f"V-{self.payment}"
        entry = verification_recipes.micro_deposit_sent(
            platform_no=self.platform_no, amount_fen=13, bank_serial_no=serial_no, effective_date=DAY
        )
        return self._on_line(entry, -13, "micro_deposit", _change("micro_deposit", serial_no))

    def _pay(self) -> Wanted:
        entry = transfers.payment_made(
            platform_no=self.platform_no,
            payer_no="M-1",
            payee_no="" if self._last else "M-2",
            legs=(FundingLeg(source=f"pending:{DAY}", amount_fen=10), FundingLeg(source="withdrawable", amount_fen=5)),
            pending_day=None,
        )
        facts = {"subject_no": "" if self._last else "M-2", "member_no": "M-1", "amount_fen": 15}
        number = f"PM-{self.payment}"
        return self._consented(number, entry, "payment", number, body=facts, amount_fen=15)

    # ---- how it is sent ----

    @property
    def _order_no(self) -> str:
        return f"DX-{self.payment}"

    @property
    def _direct_no(self) -> str:
        return f"X-{self.payment}"

    def _given_back(self, payment_no: str, amount_fen: int) -> JournalEntry:
        return collection_recipes.channel_refunded(
            platform_no=self.platform_no, channel=QR, payment_no=payment_no, amount_fen=amount_fen
        )

    def _made(
        self,
        request_no: str,
        entry: JournalEntry,
        *changes: Change,
        basis: Basis = Basis(kind="none"),
        consent: dict[str, Any] | None = None,
        line: dict[str, Any] | None = None,
    ) -> Wanted:
        posting = Posting(
            platform_no=self.platform_no,
            request_no=request_no,
            content={"recipe": entry.recipe},
            occurred_at=NOON,
            entry=entry,
            changes=changes,
            bases=(basis,),
        )
        return Wanted(posting, consent or {}, line or {})

    def _consented(
        self,
        request_no: str,
        entry: JournalEntry,
        kind: str,
        object_no: str,
        *,
        by: str = "M-1",
        operation: str = "",
        body: dict[str, Any] | None = None,
        more: tuple[Change, ...] = (),
        **terms: Any,
    ) -> Wanted:
        given = {"platform_no": self.platform_no, "by": by, "operation": operation or kind}
        digest = operation_hash(object_kind=kind, object_no=object_no, terms=terms, **given)
        consent = {**given, "consent_no": f"c-{request_no}", **terms}
        basis = Basis(kind="consent", reference=f"c-{request_no}", operation_hash=digest)
        return self._made(request_no, entry, _change(kind, object_no, body), *more, basis=basis, consent=consent)

    def _on_line(self, entry: JournalEntry, amount_fen: int, kind: str, change: Change) -> Wanted:
        line = {"amount_fen": amount_fen, "kind": kind, "request_no": entry.bank_serial_no}
        basis = Basis(kind="bank_line", reference=entry.bank_serial_no or "")
        return self._made(f":bank-line:{entry.bank_serial_no}", entry, change, basis=basis, line=line)


def _change(kind: str, object_no: str, body: dict[str, Any] | None = None) -> Change:
    return Change(kind=kind, object_no=object_no, event_type=f"{kind}.done", status="done", body=body or {})
