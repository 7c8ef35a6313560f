"""Verification of a bank account: what was asked, what was sent, and what it is by what was typed or by time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from escrow.domain.decisions import BoundAccount, Decision, Fact, Facts, NotDue, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.commands import Consented, Heard
from escrow.domain.members.transitions import VERIFICATION_TRANSITIONS, VerificationEvent
from escrow.domain.members.tries import Tries
from escrow.domain.members.verification_rules import (
    SENT_WITHIN,
    TRIES,
    VALID_FOR,
    VerificationMethod,
    VerificationStatus,
)
from escrow.domain.money.journal import Basis, Change, DeadlineChange, StandsOn
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import derived
from escrow.domain.transitions import moved

KIND = "account_verification"
#: Deadlines: until when something must have been sent, until when the newest of it can be confirmed.
SEND, CONFIRM = "send", "confirm"
_FUNCTIONS = {
    VerificationMethod.MICRO_DEPOSIT: Function.MICRO_DEPOSIT,
    VerificationMethod.UNIONPAY: Function.UNIONPAY_CHECK,
}
_REASONS = {
    VerificationEvent.TRIES_SPENT: "too_many_tries",
    VerificationEvent.ACCOUNT_UNBOUND: "account_not_bound",
    VerificationEvent.NOT_SENT_IN_TIME: "bank_unreachable",
    VerificationEvent.NOT_CONFIRMED_IN_TIME: "not_confirmed_in_time",
    VerificationEvent.CAME_BACK: "returned",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Consented):
    """A member has one of its accounts verified."""

    name = "ask"
    needs = frozenset({Fact.CONFIG})

    member_no: str
    account_id: str
    method: VerificationMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class WasSent(Heard):
    """A micro-deposit or code has left the bank; `number` counts what is sent, from 1."""

    name = "was_sent"

    number: int

    def own_no(self, object_no: str) -> str | None:
        """Each is sent once."""
        return derived("", KIND, object_no, f"sent:{self.number}")

    def content(self) -> Mapping[str, Any]:
        """Which one."""
        return {"number": self.number}


@dataclass(frozen=True, slots=True, kw_only=True)
class WasNotSent(Heard):
    """The first one does not leave: a rule of ours (`event` RULE_REFUSED) or the bank (BANK_DECLINED) says why."""

    name = "was_not_sent"

    event: VerificationEvent
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge(Heard):
    """The bank has compared what was typed: what the verification is by that."""

    name = "judge"
    needs = frozenset({Fact.TRIES, Fact.ACCOUNTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeIsOver(Heard):
    """A deadline has passed; what the bank has compared before counts more."""

    name = "time_is_over"
    needs = frozenset({Fact.TRIES, Fact.ACCOUNTS, Fact.DEADLINES})


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack(Heard):
    """The payee's bank gave the micro-deposit back that was sent as `number`."""

    name = "came_back"

    number: int


Command = WasSent | WasNotSent | Judge | TimeIsOver | CameBack


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A verification that was asked for.

    Args:
        state: where it stands.
        sendings: number of what was sent last; 0 for nothing.
        reason: why it was refused or failed; else None.
    """

    verification_no: str
    member_no: str
    account_id: str
    method: VerificationMethod
    state: VerificationStatus = VerificationStatus.ASKED
    sendings: int = 0
    reason: str | None = None

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """As it stands in the books."""
        body = stored.body
        return cls(
            verification_no=stored.object_no,
            member_no=body["member_no"],
            account_id=body["account_id"],
            method=VerificationMethod(body["method"]),
            state=VerificationStatus(stored.status or ""),
            sendings=body.get("sendings", 0),
            reason=body.get("reason") or None,
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.value

    def document(self) -> Mapping[str, Any]:
        """Its whole document, which is what its events say: nothing of what has not happened."""
        sent = {"sendings": self.sendings} if self.sendings else {}
        ended = (
            {} if self.state in (VerificationStatus.ASKED, VerificationStatus.SENT) else {"reason": self.reason or ""}
        )
        return {**self.asked_for(), **sent, **ended}

    def asked_for(self) -> dict[str, Any]:
        """Whose account is verified, and how."""
        return {"member_no": self.member_no, "account_id": self.account_id, "method": self.method.value}

    def told(self, command: Any) -> Mapping[str, Any]:
        """How it stands."""
        return {"status": self.status}

    def decide(self, command: Ask | Command, *, at: datetime, facts: Facts) -> tuple["Verification", Decision]:
        """The verification after a command.

        Args:
            at: the books' time.

        Raises:
            Refused: `object_exists`, or `verification_state`.
            NotDue: its time is not over.
        """
        match command:
            case Ask():
                raise Refused("object_exists", f"The number {self.verification_no} is taken; use another one.")
            case WasSent():
                return self._sent(command.number, at)
            case WasNotSent():
                return self._ended(command.event, reason=command.reason)
            case Judge():
                return self._judged(facts) or self._nothing_to_judge()
            case TimeIsOver():
                return self._judged(facts) or self._over(at, facts)
            case CameBack():
                if command.number != self.sendings:
                    raise Refused("verification_state", "Another one was sent since.", {"status": self.status})
                return self._ended(VerificationEvent.CAME_BACK)

    def _sent(self, number: int, at: datetime) -> tuple["Verification", Decision]:
        """What was sent earlier and is heard of later changes nothing for the newest."""
        status = moved(VERIFICATION_TRANSITIONS, self.state, VerificationEvent.SENT, code="verification_state")
        after = replace(self, state=status, sendings=max(self.sendings, number))
        deadlines = (self._deadline(SEND, None), self._deadline(CONFIRM, at + VALID_FOR[self.method]))
        return after, after.posted(f"sent:{number}", {"sendings": after.sendings}, deadlines=deadlines)

    def _judged(self, facts: Facts) -> tuple["Verification", Decision] | None:
        """What the compared tries make of it; None for nothing yet."""
        if self.state is not VerificationStatus.SENT:
            return None
        if CodeCheck.ACCEPTED not in facts.tries:
            tries = Tries.compared_by_bank(facts.tries, at_most=TRIES)
            spent = CodeCheck.EXHAUSTED in facts.tries or tries.left == 0
            return self._ended(VerificationEvent.TRIES_SPENT) if spent else None
        account = next((known for known in facts.accounts if known.account_id == self.account_id), None)
        if account is None:
            return self._ended(VerificationEvent.ACCOUNT_UNBOUND)
        return self._ended(VerificationEvent.CONFIRMED, account=account)

    def _nothing_to_judge(self) -> tuple["Verification", Decision]:
        raise Refused("verification_state", "Nothing was typed by which it ends.", {"status": self.status})

    def _over(self, at: datetime, facts: Facts) -> tuple["Verification", Decision]:
        is_asked = self.state is VerificationStatus.ASKED
        name = SEND if is_asked else CONFIRM
        event = VerificationEvent.NOT_SENT_IN_TIME if is_asked else VerificationEvent.NOT_CONFIRMED_IN_TIME
        due_at = facts.deadlines.get(name)
        if due_at is not None and due_at > at:
            raise NotDue(f"The verification {self.verification_no} still has time.", remaining=due_at - at)
        return self._ended(event, bases=(Basis(kind="deadline", reference=f"{KIND}/{self.verification_no}/{name}"),))

    def _ended(
        self,
        event: VerificationEvent,
        *,
        reason: str | None = None,
        account: BoundAccount | None = None,
        bases: tuple[Basis, ...] = (),
    ) -> tuple["Verification", Decision]:
        """The account is verified by the same posting."""
        status = moved(VERIFICATION_TRANSITIONS, self.state, event, code="verification_state")
        after = replace(self, state=status, reason=reason or _REASONS.get(event))
        return after, after.posted(
            after.status,
            {"reason": after.reason or ""},
            deadlines=(self._deadline(SEND, None), self._deadline(CONFIRM, None)),
            bases=bases,
            follows=() if account is None else (self._account_verified(),),
            has_read=()
            if account is None
            else (StandsOn(kind="bank_account", object_no=self.account_id, version=account.version),),
        )

    def posted(self, what: str, event: Mapping[str, Any], **more: Any) -> Decision:
        """What posts a change; `what` is its name, with a number where it can happen again."""
        return Decision(
            request_no=derived("", KIND, self.verification_no, what),
            event_type=f"{KIND}.{what.partition(':')[0]}",
            event=event,
            answer={"status": self.status},
            **more,
        )

    def _account_verified(self) -> Change:
        return Change(
            kind="bank_account",
            object_no=self.account_id,
            event_type="bank_account.verified",
            status="bound",
            body={"verification": self.method.value},
        )

    def _deadline(self, name: str, due_at: datetime | None) -> DeadlineChange:
        return deadline(self.verification_no, name, due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaskedVerification(NotInBooks):
    """A verification of which nothing stands in the books."""

    verification_no: str

    def decide(self, command: Ask | Command, *, at: datetime, facts: Facts) -> tuple[Verification, Decision]:
        """It can be asked for.

        Raises:
            Refused: `not_found`, or `function_off`.
        """
        if not isinstance(command, Ask):
            raise Refused("not_found", f"There is no account verification {self.verification_no}.")
        require_function(facts.required_config(), _FUNCTIONS[command.method])
        asked = Verification(
            verification_no=self.verification_no,
            member_no=command.member_no,
            account_id=command.account_id,
            method=command.method,
        )
        deadlines = (deadline(self.verification_no, SEND, at + SENT_WITHIN),)
        return asked, asked.posted("asked", asked.asked_for(), deadlines=deadlines, bases=(command.consent,))


def deadline(verification_no: str, name: str, due_at: datetime | None) -> DeadlineChange:
    """Arms or removes one deadline of a verification."""
    return DeadlineChange(object_kind=KIND, object_no=verification_no, name=name, due_at=due_at)


def _restored(stored: Stored) -> Verification | UnaskedVerification:
    return (
        UnaskedVerification(verification_no=stored.object_no)
        if not stored.version
        else Verification.of_document(stored)
    )


VERIFICATIONS = ObjectKind(name=KIND, of=Verification, restored=_restored)
