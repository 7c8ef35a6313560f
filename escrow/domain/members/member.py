"""A member in the books: what the identity registry is asked about it and says, and how it is closed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from escrow.domain.decisions import Decision, Fact, Facts, NotDue, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.closings import (
    CLOSE,
    CLOSING,
    BeginClosing,
    CompleteClosing,
    closes_at,
    closing_no,
    require_closable,
)
from escrow.domain.members.commands import Consented, Heard
from escrow.domain.members.states import MemberEvent, MemberStatus, Permission, after, require_may
from escrow.domain.members.transitions import CHECK_TRANSITIONS, CheckEvent, CheckStatus
from escrow.domain.money.journal import DeadlineChange
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_agreed, require_function
from escrow.domain.requests import derived
from escrow.domain.transitions import moved

#: A check is a part of its member; its deadline, until when the registry is to answer, is found under its own number.
CHECK, ANSWER = "identity_check", "answer"
#: A registry that does not answer is asked so long; then the platform is told, and asks anew.
ANSWERS_WITHIN = timedelta(hours=24)
_EVENT_TYPES = {
    MemberEvent.IDENTITY_MATCHED: "member.identity_verified",
    MemberEvent.IDENTITY_NOT_MATCHED: "member.identity_refused",
    MemberEvent.COMPANY_STRUCK_OFF: "member.struck_off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskIdentity(Consented):
    """The registry is to be asked about the member; `subject` is a keyed digest of what it is told."""

    name = "ask_identity"
    needs = frozenset({Fact.CONFIG})

    check_no: str
    subject: str

    def content(self) -> Mapping[str, Any]:
        """Which check, about whom."""
        return {"check_no": self.check_no, "subject": self.subject}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAnswered(Heard):
    """The registry has answered.

    Args:
        event: what its answer is for the member.
        outcome: the answer with source and day, without personal data.
    """

    name = "identity_answered"
    needs = frozenset({Fact.OPEN_CHECKS})

    check_no: str
    event: MemberEvent
    outcome: Mapping[str, Any]

    def own_no(self, object_no: str) -> str | None:
        """A check is answered once."""
        return derived("", "identity", self.check_no, "answer")

    def content(self) -> Mapping[str, Any]:
        """Which check."""
        return {"check_no": self.check_no}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityUnanswered(Heard):
    """The registry has been silent for a day: the member stays what it is."""

    name = "identity_unanswered"
    needs = frozenset({Fact.OPEN_CHECKS})

    check_no: str


Command = AskIdentity | IdentityAnswered | IdentityUnanswered | BeginClosing | CompleteClosing


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member that was opened.

    Args:
        facts: what its document says of it besides its status.
    """

    member_no: str
    state: MemberStatus
    facts: Mapping[str, Any] = field(hash=False)

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """As it stands in the books."""
        return cls(member_no=stored.object_no, state=MemberStatus(stored.status or ""), facts=stored.body)

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.value

    def document(self) -> Mapping[str, Any]:
        """Its whole document."""
        return self.facts

    def told(self, command: Any) -> Mapping[str, Any]:
        """How it stands."""
        return {"status": self.status}

    def decide(self, command: Command, *, at: datetime, facts: Facts) -> tuple["Member", Decision]:
        """The member after a command.

        Args:
            at: the books' time.

        Raises:
            Refused: `member_state`, `member_not_closable`, `calendar_unknown`, `function_off`,
                `authorisation_required`, or for a check that waits for no answer `not_found`.
            NotDue: the registry has time to answer, or the last payout can still come back.
        """
        match command:
            case AskIdentity():
                return self._asked(command, at, facts)
            case IdentityAnswered():
                return self._answered(command, at, facts)
            case IdentityUnanswered():
                return self._unanswered(command, at, facts)
            case BeginClosing():
                return self._closing(command, at, facts)
            case CompleteClosing():
                return self._closed(command, at, facts)

    def _asked(self, command: AskIdentity, at: datetime, facts: Facts) -> tuple["Member", Decision]:
        require_function(facts.required_config(), Function.IDENTITY_CHECK)
        require_may(self.state, Permission.CHECK_IDENTITY, member_no=self.member_no)
        return self, Decision(
            request_no=derived("", "identity", command.check_no),
            event_type="member.identity_asked",
            event={},
            answer={"status": CheckStatus.ASKED.value},
            bases=(command.consent,),
            deadlines=(_answer_by(command.check_no, at + ANSWERS_WITHIN),),
        )

    def _answered(self, command: IdentityAnswered, at: datetime, facts: Facts) -> tuple["Member", Decision]:
        _asked_at(command.check_no, facts)
        status = moved(CHECK_TRANSITIONS, CheckStatus.ASKED, CheckEvent(command.event.value), code="member_state")
        identity = {"check_no": command.check_no, "answered_at": at.isoformat(), **command.outcome}
        told = {"identity": identity}
        member = replace(self, state=after(self.state, command.event), facts={**self.facts, **told})
        return member, Decision(
            request_no=derived("", "identity", command.check_no, "answer"),
            event_type=_EVENT_TYPES[command.event],
            event=told,
            answer={"status": status.value},
            deadlines=(_answer_by(command.check_no, None),),
        )

    def _unanswered(self, command: IdentityUnanswered, at: datetime, facts: Facts) -> tuple["Member", Decision]:
        due_at = _asked_at(command.check_no, facts) + ANSWERS_WITHIN
        if due_at > at:
            raise NotDue(f"The registry has time to answer {command.check_no}.", remaining=due_at - at)
        status = moved(CHECK_TRANSITIONS, CheckStatus.ASKED, CheckEvent.NO_ANSWER, code="member_state")
        return self, Decision(
            request_no=derived("", "identity", command.check_no, "answer"),
            event_type="member.identity_unanswered",
            event={},
            answer={"status": status.value},
            deadlines=(_answer_by(command.check_no, None),),
        )

    def _closing(self, command: BeginClosing, at: datetime, facts: Facts) -> tuple["Member", Decision]:
        consent = facts.required_consent(command.consent.reference)
        require_agreed(facts.required_config(), AuthorisedOperation.CLOSE_MEMBER, consent.method)
        require_may(self.state, Permission.CLOSE, member_no=self.member_no)
        if self.state is MemberStatus.CLOSING:
            raise Refused("member_state", f"Member {self.member_no} is closing already.", {"status": self.status})
        require_closable(self.member_no, facts.obstacles)
        due_at = closes_at(at, facts.last_payout_at, command.calendar)
        closing = {
            "request_no": command.request_no,
            "asked_at": at.isoformat(),
            "closes_at": due_at.isoformat(),
            "status_before": self.status,
        }
        return self._changed(
            after(self.state, MemberEvent.CLOSING_BEGAN),
            {"closing": closing},
            request_no=derived("", "member", self.member_no, "close", command.request_no),
            event_type="member.closing_began",
            bases=(command.consent,),
            deadlines=(self._close_by(command.request_no, due_at),),
        )

    def _closed(self, command: CompleteClosing, at: datetime, facts: Facts) -> tuple["Member", Decision]:
        """What began in between breaks it off, and the member is what it was before."""
        closing = self.facts.get("closing", {})
        if self.state is not MemberStatus.CLOSING or closing.get("request_no") != command.request_no:
            raise Refused("member_state", f"No such closing of member {self.member_no} runs.", {"status": self.status})
        left = datetime.fromisoformat(closing["closes_at"]) - at
        if left > timedelta(0):
            raise NotDue(f"Member {self.member_no} closes at {closing['closes_at']}.", remaining=left)
        is_broken_off = bool(facts.obstacles)
        status = MemberStatus(closing["status_before"]) if is_broken_off else after(self.state, MemberEvent.CLOSED)
        return self._changed(
            status,
            {"closing": {**closing, "broken_off_because": list(facts.obstacles)}},
            request_no=derived("", "member", self.member_no, "closed", command.request_no),
            event_type="member.closing_broken_off" if is_broken_off else "member.closed",
            deadlines=(self._close_by(command.request_no, None),),
        )

    def _changed(self, status: MemberStatus, told: Mapping[str, Any], **more: Any) -> tuple["Member", Decision]:
        member = replace(self, state=status, facts={**self.facts, **told})
        return member, Decision(event=told, answer={"status": member.status}, **more)

    def _close_by(self, request_no: str, due_at: datetime | None) -> DeadlineChange:
        number = closing_no(self.member_no, request_no)
        return DeadlineChange(object_kind=CLOSING, object_no=number, name=CLOSE, due_at=due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMember(NotInBooks):
    """A member that was never opened; members are opened without a decision."""

    member_no: str

    def decide(self, command: Command, *, at: datetime, facts: Facts) -> tuple[Member, Decision]:
        """Nothing can be done about it.

        Raises:
            Refused: `not_found`.
        """
        raise Refused("not_found", f"There is no member {self.member_no}.")


def _asked_at(check_no: str, facts: Facts) -> datetime:
    if check_no not in facts.open_checks:
        raise Refused("not_found", f"No identity check {check_no} of this member waits for an answer.")
    return facts.open_checks[check_no]


def _answer_by(check_no: str, due_at: datetime | None) -> DeadlineChange:
    return DeadlineChange(object_kind=CHECK, object_no=check_no, name=ANSWER, due_at=due_at)


def _restored(stored: Stored) -> Member | NoMember:
    return NoMember(member_no=stored.object_no) if stored.version == 0 else Member.of_document(stored)


MEMBERS = ObjectKind(name="member", of=Member, restored=_restored)
