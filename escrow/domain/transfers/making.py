"""What making a transfer does: every rule for payments, assignments and reversals, whoever brings the command."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from escrow.domain.decisions import Decision, Facts, GivenConsent, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.parties import require_members
from escrow.domain.members.states import Permission
from escrow.domain.money.funding import FundingLeg, draw
from escrow.domain.money.journal import Basis, Change, CounterUse, JournalEntry, StandsOn
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_agreed, require_business_model, require_function, require_limit
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.transfers import moves
from escrow.domain.transfers.commands import Assign, Pay, Reverse
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.transfers.transfer import Assignment, Payment, RefusedTransfer, Reversal, made_before

_PER_DAY = "limits.payments_per_day_fen"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmadeTransfer(NotInBooks):
    """A transfer of which nothing stands in the books but the consent that asks for it."""

    platform_no: str
    kind: TransferKind
    transfer_no: str

    def decide(
        self, command: Pay | Assign | Reverse, *, at: datetime, facts: Facts
    ) -> tuple[Payment | Assignment | Reversal, Decision]:
        """Move the money, all of it or nothing.

        Args:
            at: the books' time.

        Raises:
            Refused: `basis_missing`, or a rule says no: `function_off`, `authorisation_required`, `limit_exceeded`,
                `business_model_forbids`, `member_unknown`, `member_state`, `insufficient_balance`,
                `two_operators_required`, `not_found`, `reversal_exceeds_assignment`.
        """
        consent = facts.required_consent(command.consent_no or "")
        match command:
            case Pay():
                return self._pay(consent, at, facts)
            case Assign():
                return self._assign(consent, at, facts, was_paid_to_member=command.was_paid_to_member)
            case Reverse():
                return self._reverse(consent, facts)

    def _pay(self, consent: GivenConsent, at: datetime, facts: Facts) -> tuple[Payment, Decision]:
        config, terms = _config(facts), consent.terms
        payment = Payment(
            transfer_no=self.transfer_no,
            payer_no=terms["member_no"],
            payee_no=terms["subject_no"] or None,
            amount_fen=terms["amount_fen"],
            settlement=config.unguaranteed_settlement,
        )
        require_function(config, Function.UNGUARANTEED_PAYMENT)
        require_agreed(config, AuthorisedOperation.UNGUARANTEED_PAYMENT, consent.method)
        require_limit(config.limits.payment_fen, payment.amount_fen, name="limits.payment_fen")
        require_business_model(config, payee_is_platform=payment.payee_no is None, commission_basis_points=0)
        if payment.payee_no == payment.payer_no:
            raise Refused("member_unknown", "Payer and payee are the same member; a payment needs two parties.")
        parties = {payment.payer_no: [Permission.PAY]}
        if payment.payee_no is not None:
            parties[payment.payee_no] = [Permission.RECEIVE]
        members = require_members(facts, parties)
        next_day = payment.settlement is Settlement.T_PLUS_1
        entry = moves.payment_made(
            platform_no=self.platform_no,
            payer_no=payment.payer_no,
            payee_no=payment.payee_no or "",
            legs=_drawn(facts, payment.amount_fen),
            pending_day=facts.accounting_day if next_day else None,
        )
        counters = _limit_of_day(config, payment, at)
        return payment, self._decision(payment, consent, entry, has_read=members, counters=counters)

    def _assign(
        self, consent: GivenConsent, at: datetime, facts: Facts, *, was_paid_to_member: bool
    ) -> tuple[Assignment, Decision]:
        """Two operators alone decide on what came back of a payout to another, or was collected for another."""
        terms, credit = consent.terms, facts.credit
        assert credit is not None  # noqa: S101 - the command declares it, and its consent names one
        assignment = Assignment(
            transfer_no=self.transfer_no,
            credit_no=terms["subject_no"],
            member_no=terms["member_no"],
            amount_fen=terms["amount_fen"],
        )
        members = require_members(facts, {assignment.member_no: [Permission.RECEIVE]})
        if credit.line_kind == "return" and not was_paid_to_member:
            raise Refused("two_operators_required", "This was paid to somebody of another name and came back.")
        if credit.line_kind is None and credit.balance_fen and credit.collected_for != assignment.member_no:
            raise Refused("two_operators_required", "A channel did not collect this for that member.")
        if credit.balance_fen < assignment.amount_fen:
            missing_fen = assignment.amount_fen - credit.balance_fen
            raise Refused(
                "insufficient_balance",
                f"Less than that is in suspense under {assignment.credit_no}.",
                {"amount_fen": assignment.amount_fen, "missing_fen": missing_fen},
            )
        entry = moves.suspense_assigned(
            platform_no=self.platform_no,
            credit_no=assignment.credit_no,
            member_no=assignment.member_no,
            amount_fen=assignment.amount_fen,
            pending_day=_credited_on(_config(facts), is_channels=credit.line_kind is None, at=at, facts=facts),
        )
        return assignment, self._decision(assignment, consent, entry, has_read=members)

    def _reverse(self, consent: GivenConsent, facts: Facts) -> tuple[Reversal, Decision]:
        """No more is taken back than entries have given, whatever any document says of it."""
        reversal = Reversal(
            transfer_no=self.transfer_no,
            assignment_no=consent.terms["subject_no"],
            member_no=consent.terms["member_no"],
            amount_fen=consent.terms["amount_fen"],
        )
        was = facts.assigned
        if was is None:
            raise Refused("not_found", f"There is no assignment {reversal.assignment_no}.")
        left_fen = was.assigned_fen - was.reversed_fen
        if was.member_no != reversal.member_no or reversal.amount_fen > left_fen:
            raise Refused(
                "reversal_exceeds_assignment",
                "More would be taken back than was assigned to this member.",
                {"left_fen": left_fen},
            )
        entry = moves.assignment_reversed(
            platform_no=self.platform_no,
            credit_no=was.credit_no,
            member_no=reversal.member_no,
            legs=_drawn(facts, reversal.amount_fen),
        )
        assignment = Change(
            kind=TransferKind.ASSIGNMENT,
            object_no=reversal.assignment_no,
            event_type="assignment.reversed",
            status=moves.TransferStatus.DONE,
            body={"reversed_fen": was.reversed_fen + reversal.amount_fen, "reversals": was.reversals + 1},
        )
        read = StandsOn(kind=TransferKind.ASSIGNMENT, object_no=reversal.assignment_no, version=was.version)
        return reversal, self._decision(reversal, consent, entry, has_read=(read,), follows=(assignment,))

    def _decision(
        self, after: Payment | Assignment | Reversal, consent: GivenConsent, entry: JournalEntry, **more: Any
    ) -> Decision:
        """The consent is to just this transfer: the database compares its hash with the one that is made here."""
        expected = moves.transfer_operation_hash(
            platform_no=self.platform_no,
            kind=self.kind,
            transfer_no=self.transfer_no,
            by=consent.given_by,
            terms=consent.terms,
        )
        return Decision(
            request_no=derived("", self.kind, self.transfer_no, "make"),
            event_type=f"{self.kind}.{after.status}",
            event=after.document(),
            answer={"status": after.status},
            entry=entry,
            bases=(Basis(kind="consent", reference=consent.consent_no, operation_hash=expected),),
            **more,
        )


def _restored(
    stored: Stored, *, kind: TransferKind
) -> Payment | Assignment | Reversal | RefusedTransfer | UnmadeTransfer:
    if stored.version == 0:
        return UnmadeTransfer(platform_no=stored.platform_no, kind=kind, transfer_no=stored.object_no)
    return made_before(kind, stored)


PAYMENTS = ObjectKind(name="payment", of=Payment, restored=partial(_restored, kind=TransferKind.PAYMENT))
ASSIGNMENTS = ObjectKind(name="assignment", of=Assignment, restored=partial(_restored, kind=TransferKind.ASSIGNMENT))
REVERSALS = ObjectKind(name="reversal", of=Reversal, restored=partial(_restored, kind=TransferKind.REVERSAL))


def _config(facts: Facts) -> PlatformConfig:
    assert facts.config is not None  # noqa: S101 - the command declares it
    return facts.config


def _drawn(facts: Facts, amount_fen: int) -> tuple[FundingLeg, ...]:
    assert facts.spendable is not None  # noqa: S101 - the command declares it
    return draw(
        withdrawable_fen=facts.spendable.withdrawable_fen,
        pending_fen_by_day=facts.spendable.pending_fen_by_day,
        amount_fen=amount_fen,
    )


def _limit_of_day(config: PlatformConfig, payment: Payment, at: datetime) -> tuple[CounterUse, ...]:
    """What a payment uses of its payer's limit of the day in Shanghai; nothing is counted where there is no limit."""
    maximum_fen = config.limits.payments_per_day_fen
    if maximum_fen is None:
        return ()
    name = f"payment/{payment.payer_no}/{at.astimezone(SHANGHAI).date()}"
    return (CounterUse(name=name, add_fen=payment.amount_fen, maximum_fen=maximum_fen, limit=_PER_DAY),)


def _credited_on(config: PlatformConfig, *, is_channels: bool, at: datetime, facts: Facts) -> date | None:
    """Day whose closing makes it withdrawable, None for at once.

    A transfer is credited as configured; a channel's payment may not be settled before tomorrow. Tomorrow is counted
    from the later of the accounting day and the calendar day: after midnight the day before may still be open, and what
    was paid since is settled a day later than that.
    """
    if is_channels:
        return max(facts.accounting_day, at.astimezone(SHANGHAI).date()) + timedelta(days=1)
    return facts.accounting_day if config.top_up_settlement is Settlement.T_PLUS_1 else None
