"""What parties ask of their money: to pay at once, to withdraw."""

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from escrow.domain.operations.asked import AskedFor, PartyOperation
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.requests import PLATFORM_ITSELF


class PayAtOnce(PartyOperation):
    """A member pays another without a guarantee; `payee_no` is None for the platform itself."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.UNGUARANTEED_PAYMENT

    payment_no: str
    payer_no: str
    payee_no: str | None
    amount_fen: int = Field(gt=0)

    @model_validator(mode="before")
    @classmethod
    def _platform_is_nobody_else(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "payee_no": None} if given.get("payee_no") in ("", PLATFORM_ITSELF) else given

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The payment that waits with a link."""
        return cls(
            payment_no=asked.object_no,
            payer_no=asked.member,
            payee_no=asked.terms["subject_no"],
            amount_fen=asked.terms["amount_fen"],
        )


class Withdraw(PartyOperation):
    """Money goes to a bound bank account.

    Args:
        member_no: whose; None for the platform's own.
        account_id: None for the default one.
    """

    withdrawal_no: str
    member_no: str | None
    account_id: str | None
    principal_fen: int = Field(gt=0)

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.PLATFORM_WITHDRAW if self.member_no is None else AuthorisedOperation.WITHDRAW

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The withdrawal that waits with a link, to the account that was shown."""
        return cls(
            withdrawal_no=asked.object_no,
            member_no=asked.member_no,
            account_id=asked.terms["account_id"] or None,
            principal_fen=asked.terms["principal_fen"],
        )
