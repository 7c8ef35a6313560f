"""Commands to a withdrawal: that its money be held, and what was seen of its way through the bank.

Only `Hold` and `Overdue` come from outside: everything else is given to the books by the activity that asked the bank.
Each names the number under which it is posted, so that a repeat finds it, whatever has happened since.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.decisions import Fact, GivenConsent, Unsaid
from escrow.domain.money.journal import BasisKind
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense_returns import RETURN_SUSPENSE
from escrow.domain.withdrawals.rails import Rail

#: Operation of the consent to a withdrawal.
WITHDRAW = "withdraw"


class _WithdrawalCommand(Unsaid, BaseModel):
    """Base: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class Hold(_WithdrawalCommand):
    """Principal and fee are to go into transit; where they are, this only finds how the withdrawal stands.

    Args:
        said_as: number of the consent that asks for it; None for one that follows a release by itself.
        payee_is_known: of money that goes back from suspense: whether the books know an account that it can go to.
    """

    name: Literal["hold"] = "hold"
    said_as: str | None = None
    payee_is_known: bool = True

    @property
    def consent_no(self) -> str | None:
        """Number of the consent that asks for it."""
        return self.said_as

    @property
    def needs(self) -> frozenset[Fact]:
        """All that says whether this money may leave, and where to."""
        return frozenset({Fact.CONFIG, Fact.MEMBERS, Fact.ACCOUNTS, Fact.BALANCES, Fact.OWN, Fact.CREDIT})

    def uses(self, withdrawal_no: str) -> tuple[BasisKind, str] | None:
        """The consent."""
        return None if self.said_as is None else ("consent", self.said_as)

    def own_no(self, withdrawal_no: str) -> str | None:
        """Money is held once."""
        return derived(withdrawal_no, "hold")

    def is_said_in(self, consent: GivenConsent, withdrawal_no: str) -> bool:
        """Whether a consent asks for just this withdrawal."""
        said = (consent.object_kind, consent.object_no)
        return said == ("withdrawal", withdrawal_no) and consent.operation in (WITHDRAW, RETURN_SUSPENSE)


class BeginAttempt(_WithdrawalCommand):
    """A payment order is about to be sent. Whoever posts this sends it; whoever finds it posted asks about it.

    Args:
        number: of the payment order, from 1.
        route: why this rail.
    """

    name: Literal["begin_attempt"] = "begin_attempt"
    number: int
    rail: Rail
    route: tuple[str, ...]

    @property
    def needs(self) -> frozenset[Fact]:
        """Nothing is sent that is not held."""
        return frozenset({Fact.IN_TRANSIT})

    def own_no(self, withdrawal_no: str) -> str | None:
        """Each payment order begins once."""
        return derived(withdrawal_no, "attempt", self.number)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by, over whichever rail it would have gone."""
        return {"number": self.number}


class BankSaid(_WithdrawalCommand):
    """The bank has a payment order and is not done with it, or does not know it (yet)."""

    name: Literal["bank_said"] = "bank_said"
    number: int
    is_processing: bool
    seen_version: int

    def own_no(self, withdrawal_no: str) -> str | None:
        """Once for one state of the withdrawal."""
        return derived(withdrawal_no, "attempt", self.number, "seen", self.seen_version)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"number": self.number, "is_processing": self.is_processing}


class EndAttempt(_WithdrawalCommand):
    """The bank says that a payment order was not and will not be paid."""

    name: Literal["end_attempt"] = "end_attempt"
    number: int
    outcome: Literal["failed", "never_arrived"]
    reason: str | None = None

    def own_no(self, withdrawal_no: str) -> str | None:
        """Each payment order ends once."""
        return derived(withdrawal_no, "attempt", self.number, "ended")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"number": self.number, "outcome": self.outcome}


class Queue(_WithdrawalCommand):
    """No rail can carry it now.

    Args:
        opens_at: when one opens, by the bank's clock.
        wait: how long that is from the moment at which the bank was asked.
    """

    name: Literal["queue"] = "queue"
    attempts: int
    opens_at: AwareDatetime
    wait: timedelta
    route: tuple[str, ...]

    def own_no(self, withdrawal_no: str) -> str | None:
        """One stay in the queue: by the payment orders sent before and the opening waited for."""
        return derived(withdrawal_no, "queue", f"{self.attempts}:{_text(self.opens_at)}")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"attempts": self.attempts, "opens_at": _text(self.opens_at)}


class Paid(_WithdrawalCommand):
    """The bank says that it paid, by this line of the custody account."""

    name: Literal["paid"] = "paid"
    bank_serial_no: str

    @property
    def needs(self) -> frozenset[Fact]:
        """The line itself."""
        return frozenset({Fact.BANK_LINE})

    def uses(self, withdrawal_no: str) -> tuple[BasisKind, str] | None:
        """The line."""
        return "bank_line", self.bank_serial_no

    def own_no(self, withdrawal_no: str) -> str | None:
        """It is paid once."""
        return derived(withdrawal_no, "paid")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"bank_serial_no": self.bank_serial_no}


class GiveBack(_WithdrawalCommand):
    """No rail carries it, and the bank says of every payment order that it was not and will not be paid."""

    name: Literal["give_back"] = "give_back"
    reason: str | None
    route: tuple[str, ...]

    def own_no(self, withdrawal_no: str) -> str | None:
        """It is given back once."""
        return derived(withdrawal_no, "return")


class Announced(_WithdrawalCommand):
    """A large withdrawal was announced by SMS; or it could not be, by `failure`, and is not tried any more."""

    name: Literal["announced"] = "announced"
    failure: str | None = None

    def own_no(self, withdrawal_no: str) -> str | None:
        """Once."""
        return derived(withdrawal_no, "sms")


class Overdue(_WithdrawalCommand):
    """Something should have happened to it by now, by the books; `seen_version` is where that was found."""

    name: Literal["overdue"] = "overdue"
    seen_version: int

    def own_no(self, withdrawal_no: str) -> str | None:
        """Once for one state of the withdrawal."""
        return derived(withdrawal_no, "overdue", self.seen_version)


class CallOperator(_WithdrawalCommand):
    """An operator is needed, as whoever asked the bank found; `seen_version` is the withdrawal's when it did."""

    name: Literal["call_operator"] = "call_operator"
    reason: str
    seen_version: int

    def own_no(self, withdrawal_no: str) -> str | None:
        """Once for one state of the withdrawal. Not `X:attention`: a platform may have an order of the same number."""
        return derived(withdrawal_no, "operator", self.seen_version)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"reason": self.reason}


WithdrawalCommand = (
    Hold | BeginAttempt | BankSaid | EndAttempt | Queue | Paid | GiveBack | Announced | Overdue | CallOperator
)


def _text(moment: datetime) -> str:
    return moment.isoformat()
