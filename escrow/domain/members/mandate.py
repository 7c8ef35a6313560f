"""A mandate in the books: signed and revoked on its member's consent, known to the bank or not, over after a day."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Self

from escrow.domain.collections.mandates import (
    MANDATE_TEXT_VERSION,
    REVOKE,
    SIGN,
    MandateStatus,
    ends_at,
    mandate_operation_hash,
    mandate_terms,
    require_last_day_to_come,
)
from escrow.domain.decisions import Decision, Fact, Facts, GivenConsent, NotDue, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.commands import Consented, Heard
from escrow.domain.members.transitions import MANDATE_TRANSITIONS, MandateEvent
from escrow.domain.money.journal import Basis, DeadlineChange
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_agreed, require_function
from escrow.domain.requests import derived
from escrow.domain.transitions import moved

KIND = "mandate"
#: Deadlines: until when the bank should know that it was signed or has ended, and the end of its last day.
BANK_TOLD, LAST_DAY = "bank_told", "last_day"
#: A bank that takes longer is looked into.
BANK_TOLD_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign(Consented):
    """A member lets one of its cards be debited; amounts in fen, `last_day` in Shanghai.

    Args:
        consent: as it was recorded; that it is to just this mandate is compared by the hash that is made here.
    """

    name = "sign"
    needs = frozenset({Fact.CONFIG})

    by: str
    account_id: str
    per_debit_fen: int
    per_day_fen: int
    last_day: date

    @property
    def consent_no(self) -> str | None:
        """Number of the consent."""
        return self.consent.reference

    def is_said_in(self, consent: GivenConsent, object_no: str) -> bool:
        """Whether a consent is its member's to just this mandate."""
        said = (consent.object_kind, consent.object_no, consent.operation, consent.given_by)
        return said == (KIND, object_no, SIGN, self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Consented):
    """The member does not want it any more."""

    name = "revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankTakesIt(Heard):
    """The bank knows the mandate; `payer_bank` is its short name of the card's bank."""

    name = "bank_takes_it"

    payer_bank: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRefusesIt(Heard):
    """The bank does not take the mandate, or a rule of ours does not let it be told."""

    name = "bank_refuses_it"

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDayIsOver(Heard):
    """Nothing can be debited under it any more."""

    name = "last_day_is_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankKnowsTheEnd(Heard):
    """The bank was told that the ended mandate is none any more."""

    name = "bank_knows_the_end"
    needs = frozenset({Fact.DEADLINES})


Command = Revoke | BankTakesIt | BankRefusesIt | LastDayIsOver | BankKnowsTheEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """A mandate that was signed; amounts in fen, `last_day` in Shanghai.

    Args:
        payer_bank: None until the bank has taken it.
        reason: why it was refused; None until it has ended.
    """

    platform_no: str
    mandate_no: str
    member_no: str
    account_id: str
    per_debit_fen: int
    per_day_fen: int
    last_day: date
    text_version: str
    state: MandateStatus = MandateStatus.SIGNED
    payer_bank: str | None = None
    reason: str | None = None

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """As it stands in the books."""
        body = stored.body
        return cls(
            platform_no=stored.platform_no,
            mandate_no=stored.object_no,
            member_no=body["member_no"],
            account_id=body["account_id"],
            per_debit_fen=body["per_debit_fen"],
            per_day_fen=body["per_day_fen"],
            last_day=date.fromisoformat(body["last_day"]),
            text_version=body["text_version"],
            state=MandateStatus(stored.status or ""),
            payer_bank=body.get("payer_bank"),
            reason=body.get("reason"),
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.value

    def document(self) -> Mapping[str, Any]:
        """Its whole document, which is what its events say."""
        since = {"payer_bank": self.payer_bank, "reason": self.reason}
        return {**self.signed(), **{name: said for name, said in since.items() if said is not None}}

    def signed(self) -> dict[str, Any]:
        """What was signed, and by whom."""
        return {
            "member_no": self.member_no,
            "account_id": self.account_id,
            "per_debit_fen": self.per_debit_fen,
            "per_day_fen": self.per_day_fen,
            "last_day": self.last_day.isoformat(),
            "text_version": self.text_version,
        }

    def told(self, command: Any) -> Mapping[str, Any]:
        """How it stands."""
        return {"status": self.status}

    def decide(self, command: Sign | Command, *, at: datetime, facts: Facts) -> tuple["Mandate", Decision]:
        """The mandate after a command.

        Args:
            at: the books' time.

        Raises:
            Refused: `object_exists`, or `mandate_state`.
            NotDue: its last day is not over.
        """
        match command:
            case Sign():
                raise Refused("object_exists", f"The number {self.mandate_no} is taken; use another one.")
            case Revoke():
                return self._ended(MandateEvent.REVOKED, at, basis=self._consented(command.consent, REVOKE, {}))
            case BankTakesIt():
                status = moved(MANDATE_TRANSITIONS, self.state, MandateEvent.BANK_TAKES_IT, code="mandate_state")
                after = replace(self, state=status, payer_bank=command.payer_bank)
                told = {"payer_bank": command.payer_bank}
                return after, after.posted(status.value, told, deadlines=(self._deadline(BANK_TOLD, None),))
            case BankRefusesIt():
                return self._ended(MandateEvent.BANK_REFUSES_IT, at, reason=command.reason)
            case LastDayIsOver():
                left = ends_at(self.last_day) - at
                if left > timedelta(0):
                    raise NotDue(f"The mandate {self.mandate_no} ends after {self.last_day}.", remaining=left)
                basis = Basis(kind="deadline", reference=f"{KIND}/{self.mandate_no}/{LAST_DAY}")
                return self._ended(MandateEvent.LAST_DAY_IS_OVER, at, basis=basis)
            case BankKnowsTheEnd():
                if not self.state.has_ended or BANK_TOLD not in facts.deadlines:
                    raise Refused("mandate_state", "The bank has nothing to be told.", {"status": self.status})
                return self, self.posted("deregistered", {}, deadlines=(self._deadline(BANK_TOLD, None),))

    def _ended(
        self, event: MandateEvent, at: datetime, *, reason: str = "", basis: Basis | None = None
    ) -> tuple["Mandate", Decision]:
        """What the bank may know of it, it has to be told."""
        status = moved(MANDATE_TRANSITIONS, self.state, event, code="mandate_state")
        after = replace(self, state=status, reason=reason)
        bank_told_by = None if status is MandateStatus.REFUSED else at + BANK_TOLD_WITHIN
        return after, after.posted(
            status.value,
            {"reason": reason},
            bases=() if basis is None else (basis,),
            deadlines=(self._deadline(LAST_DAY, None), self._deadline(BANK_TOLD, bank_told_by)),
        )

    def posted(self, what: str, event: Mapping[str, Any], **more: Any) -> Decision:
        """What posts a change; each happens at most once."""
        return Decision(
            request_no=derived("", KIND, self.mandate_no, what),
            event_type=f"{KIND}.{what}",
            event=event,
            answer={"status": self.status},
            **more,
        )

    def enter(self, consent: Basis, at: datetime) -> Decision:
        """What posts that it was signed.

        Raises:
            Refused: `mandate_not_in_force`, its last day is over.
        """
        terms = mandate_terms(
            account_id=self.account_id,
            per_debit_fen=self.per_debit_fen,
            per_day_fen=self.per_day_fen,
            last_day=self.last_day,
        )
        require_last_day_to_come(self.last_day, now=at)
        return self.posted(
            "signed",
            self.signed(),
            bases=(self._consented(consent, SIGN, terms),),
            deadlines=(
                self._deadline(LAST_DAY, ends_at(self.last_day)),
                self._deadline(BANK_TOLD, at + BANK_TOLD_WITHIN),
            ),
        )

    def _consented(self, consent: Basis, operation: str, terms: Mapping[str, Any]) -> Basis:
        """The consent as what it must be to: this very mandate, by its own member."""
        expected = mandate_operation_hash(
            platform_no=self.platform_no,
            mandate_no=self.mandate_no,
            operation=operation,
            by=self.member_no,
            terms=terms,
        )
        return replace(consent, operation_hash=expected)

    def _deadline(self, name: str, due_at: datetime | None) -> DeadlineChange:
        return DeadlineChange(object_kind=KIND, object_no=self.mandate_no, name=name, due_at=due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedMandate(NotInBooks):
    """A mandate of which nothing stands in the books."""

    platform_no: str
    mandate_no: str

    def decide(self, command: Sign | Command, *, at: datetime, facts: Facts) -> tuple[Mandate, Decision]:
        """It can be signed.

        Raises:
            Refused: `not_found`; `function_off`; `authorisation_required`; `mandate_not_in_force`, its last day is
                over.
        """
        if not isinstance(command, Sign):
            raise Refused("not_found", f"There is no mandate {self.mandate_no}.")
        consent = facts.required_consent(command.consent.reference)
        require_function(facts.required_config(), Function.DIRECT_DEBIT)
        require_agreed(facts.required_config(), AuthorisedOperation.SIGN_MANDATE, consent.method)
        signed = Mandate(
            platform_no=self.platform_no,
            mandate_no=self.mandate_no,
            member_no=command.by,
            account_id=command.account_id,
            per_debit_fen=command.per_debit_fen,
            per_day_fen=command.per_day_fen,
            last_day=command.last_day,
            text_version=MANDATE_TEXT_VERSION,
        )
        return signed, signed.enter(command.consent, at)


def _restored(stored: Stored) -> Mandate | UnsignedMandate:
    if stored.version == 0:
        return UnsignedMandate(platform_no=stored.platform_no, mandate_no=stored.object_no)
    return Mandate.of_document(stored)


MANDATES = ObjectKind(name=KIND, of=Mandate, restored=_restored)
