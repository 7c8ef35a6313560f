"""What has happened to a withdrawal since it was asked for: a value, and its form in the books."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.documents import OptionalText
from escrow.domain.platforms.sms_texts import TRIED_FOR
from escrow.domain.requests import derived
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.sources import Source, document_of, source_of
from escrow.domain.withdrawals.states import WithdrawalStatus

#: How often one rail may lose a payment order that the bank never received before it counts as failed.
_LOST_AT_MOST = 2
#: A step of the bank's that has not come after this long is an operator's.
OPERATOR_AFTER = timedelta(hours=24)


class Attempt(BaseModel):
    """One payment order over one rail. Without an outcome it is `sent`, or was about to be when it was recorded."""

    model_config = ConfigDict(frozen=True)

    number: int
    rail: Rail
    request_no: str
    sent_at: AwareDatetime
    outcome: Literal["sent", "succeeded", "failed", "never_arrived"] = "sent"
    reason: OptionalText = None
    bank_serial_no: OptionalText = None

    @property
    def is_open(self) -> bool:
        """Whether the bank has not said what became of it."""
        return self.outcome == "sent"


class Payment(BaseModel):
    """The bank booked it."""

    model_config = ConfigDict(frozen=True)

    bank_serial_no: str
    rail: Rail
    booked_at: AwareDatetime


class Refusal(BaseModel):
    """A rule said no before any money moved."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


class WithdrawalState(BaseModel):
    """The state of a withdrawal; amounts in fen, `fee_fen` is taken on top of the principal.

    Args:
        order_no: the order whose release it follows by itself.
        released_as: request number of that release.
        config_version: of the platform's configuration that it is judged by; None in books of the first release.
        route: why which rail was or was not taken, for people.
        opens_at: when a rail opens, by the bank's clock, while it is queued.
        held_at: when its money was held; None before, and in books of the first release.
        due_at: when something has to happen to it: the next look while it is queued, else an operator's.
        counted_on: day on whose limit it counts.
        sms: whether a large withdrawal is still to be announced, was, or could not be, which `sms_failure` says.
        attention: why an operator is needed.
        reason: why it failed.
    """

    model_config = ConfigDict(frozen=True)

    status: WithdrawalStatus
    source: Source
    principal_fen: int
    fee_fen: int
    order_no: OptionalText = None
    released_as: OptionalText = None
    config_version: int | None = None
    attempts: tuple[Attempt, ...] = ()
    route: tuple[str, ...] = ()
    opens_at: AwareDatetime | None = None
    held_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    counted_on: date | None = None
    sms: Literal["due", "sent", "failed"] | None = None
    sms_failure: OptionalText = None
    attention: OptionalText = None
    payment: Payment | None = None
    refusal: Refusal | None = None
    reason: OptionalText = None

    @classmethod
    def of_document(cls, status: str, body: Mapping[str, Any]) -> Self:
        """The state as the books have it."""
        found: dict[str, Any] = {name: body.get(name) for name in _PLAIN}
        found |= {"status": status, "source": source_of(body), "attempts": body["attempts"], "route": body["route"]}
        if "due_at" not in body and body["attempts"]:
            # The first release knew of no such moment: it counted from the payment order.
            found["due_at"] = Attempt.model_validate(body["attempts"][-1]).sent_at + OPERATOR_AFTER
        if body.get("bank_serial_no"):
            found["payment"] = {name: body[name] for name in Payment.model_fields}
        if body.get("refusal"):
            found["refusal"] = {"code": body["refusal"], "message": " ".join(body["route"])}
        return cls.model_validate(found)

    def document(self) -> dict[str, Any]:
        """Its form in the books; the status has a column of its own."""
        plain = self.model_dump(mode="json", include={*_PLAIN, "attempts", "route"})
        found = plain | document_of(self.source)
        if self.payment is not None:
            found |= self.payment.model_dump(mode="json")
        if self.refusal is not None:
            found |= {"refusal": self.refusal.code, "route": [self.refusal.message]}
        return found

    @property
    def held_fen(self) -> int:
        """What is in transit for it while it is under way."""
        return self.principal_fen + self.fee_fen

    @property
    def announced_until(self) -> datetime | None:
        """Until when its announcement is tried; None where none is due."""
        return self.held_at + TRIED_FOR if self.sms == "due" and self.held_at is not None else None

    @property
    def open_attempt(self) -> Attempt | None:
        """The payment order of which nobody knows yet what became of it."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].is_open else None

    @property
    def failed_rails(self) -> frozenset[Rail]:
        """Rails that definitely failed, or that lost too many payment orders."""
        lost = [attempt.rail for attempt in self.attempts if attempt.outcome == "never_arrived"]
        failed = {attempt.rail for attempt in self.attempts if attempt.outcome == "failed"}
        return frozenset(failed | {rail for rail in lost if lost.count(rail) >= _LOST_AT_MOST})

    def ended_attempt(self, **changes: Any) -> tuple[Attempt, ...]:
        """The payment orders with the last one changed."""
        return (*self.attempts[:-1], self.attempts[-1].model_copy(update=changes))


_PLAIN = (
    "principal_fen", "fee_fen", "config_version", "opens_at", "held_at", "due_at", "counted_on", "sms", "sms_failure",
    "order_no", "released_as", "attention", "reason",
)  # fmt: skip
#: Keys of a document that are there from the first; the others from when there is something to say.
ALWAYS_WRITTEN = frozenset({
    "member_no", "account_id", "principal_fen", "fee_fen", "order_no", "credit_no", "attempts", "route", "opens_at",
    "attention", "cnaps_code",
})  # fmt: skip


def payout_no(withdrawal_no: str, number: int) -> str:
    """Request number of a payment order, counted from 1."""
    return derived(withdrawal_no, "payout", number)


def bank_request_no(platform_no: str, request_no: str) -> str:
    """Our request number as the bank sees it: request numbers are unique per platform, the bank has one space."""
    return f"{platform_no}/{request_no}"
