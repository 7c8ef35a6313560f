"""Transfers as they stand in the books once they are made: a payment, an assignment, a reversal are three things."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from escrow.domain.decisions import Aggregate, Decision, Facts, Stored
from escrow.domain.errors import Refused
from escrow.domain.platforms.config import Settlement
from escrow.domain.transfers.moves import TransferKind, TransferStatus, transfer_terms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What all of them have. Their documents use the words of their consents, as since the first release."""

    transfer_no: str

    @property
    def status(self) -> str:
        """It is done."""
        return TransferStatus.DONE.value

    def told(self, command: Any) -> Mapping[str, Any]:
        """How it stands: all that is told of one of the first release, whose answers were not kept."""
        return {"status": self.status}

    def decide(self, command: Any, *, at: Any, facts: Facts) -> tuple[Aggregate, Decision]:
        """It is made once.

        Raises:
            Refused: `object_exists`.
        """
        raise Refused("object_exists", f"The number {self.transfer_no} is taken; use another one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment(_Made):
    """A payment that was made.

    Args:
        payee_no: None for the platform itself.
        settlement: when what was withdrawable became so at the payee.
    """

    payer_no: str
    payee_no: str | None
    amount_fen: int
    settlement: Settlement

    @classmethod
    def of_document(cls, number: str, body: Mapping[str, Any]) -> Self:
        """As it stands in the books."""
        return cls(
            transfer_no=number,
            payer_no=body["member_no"],
            payee_no=body["subject_no"] or None,
            amount_fen=body["amount_fen"],
            settlement=Settlement(body["settlement"]),
        )

    def document(self) -> Mapping[str, Any]:
        """Its whole document."""
        terms = transfer_terms(subject_no=self.payee_no or "", member_no=self.payer_no, amount_fen=self.amount_fen)
        return {**terms, "settlement": self.settlement.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(_Made):
    """Money in suspense that was given to a member; `reversed_fen` of it was taken back by `reversals` reversals."""

    credit_no: str
    member_no: str
    amount_fen: int
    reversed_fen: int = 0
    reversals: int = 0

    @classmethod
    def of_document(cls, number: str, body: Mapping[str, Any]) -> Self:
        """As it stands in the books."""
        return cls(
            transfer_no=number,
            credit_no=body["subject_no"],
            member_no=body["member_no"],
            amount_fen=body["amount_fen"],
            reversed_fen=body["reversed_fen"],
            reversals=body["reversals"],
        )

    def document(self) -> Mapping[str, Any]:
        """Its whole document."""
        terms = transfer_terms(subject_no=self.credit_no, member_no=self.member_no, amount_fen=self.amount_fen)
        return {**terms, "reversed_fen": self.reversed_fen, "reversals": self.reversals}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal(_Made):
    """What was taken back of an assignment."""

    assignment_no: str
    member_no: str
    amount_fen: int

    @classmethod
    def of_document(cls, number: str, body: Mapping[str, Any]) -> Self:
        """As it stands in the books."""
        return cls(
            transfer_no=number,
            assignment_no=body["subject_no"],
            member_no=body["member_no"],
            amount_fen=body["amount_fen"],
        )

    def document(self) -> Mapping[str, Any]:
        """Its whole document."""
        return transfer_terms(subject_no=self.assignment_no, member_no=self.member_no, amount_fen=self.amount_fen)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTransfer(_Made):
    """A transfer as the first release entered what a rule had refused: its number is answered so for ever."""

    refusal: Refused

    @classmethod
    def of_document(cls, number: str, body: Mapping[str, Any]) -> Self:
        """As it stands in the books."""
        told = body["refusal"]
        return cls(transfer_no=number, refusal=Refused(told["code"], told["message"], told["details"]))

    @property
    def status(self) -> str:
        """It was refused."""
        return TransferStatus.REFUSED.value

    def document(self) -> Mapping[str, Any]:
        """It is never written again."""
        return {}

    def decide(self, command: Any, *, at: Any, facts: Facts) -> tuple[Aggregate, Decision]:
        """It stays refused.

        Raises:
            Refused: as the first time.
        """
        raise Refused(self.refusal.code, self.refusal.message, self.refusal.details)


def made_before(kind: TransferKind, stored: Stored) -> Payment | Assignment | Reversal | RefusedTransfer:
    """A transfer that stands in the books."""
    if stored.status == TransferStatus.REFUSED:
        return RefusedTransfer.of_document(stored.object_no, stored.body)
    match kind:
        case TransferKind.PAYMENT:
            return Payment.of_document(stored.object_no, stored.body)
        case TransferKind.ASSIGNMENT:
            return Assignment.of_document(stored.object_no, stored.body)
        case TransferKind.REVERSAL:
            return Reversal.of_document(stored.object_no, stored.body)
