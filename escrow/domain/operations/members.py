"""What members ask about themselves: mandates, bank accounts, and to leave."""

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from escrow.domain.operations.asked import AskedFor, PartyOperation
from escrow.domain.platforms.authorisations import AuthorisedOperation

#: Opens the number and the name of a bank account that wait sealed: from its id and the seal.
Opened = Callable[[str, str], tuple[str, str]]


class SignMandate(PartyOperation):
    """A member lets one of its cards be debited, within two caps and until a day in Asia/Shanghai."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.SIGN_MANDATE

    mandate_no: str
    member_no: str
    account_id: str
    per_debit_fen: int = Field(gt=0)
    per_day_fen: int = Field(gt=0)
    last_day: date

    @model_validator(mode="after")
    def _a_day_allows_a_debit(self) -> Self:
        if self.per_day_fen < self.per_debit_fen:
            raise ValueError("per_day_fen must not be below per_debit_fen")
        return self

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The mandate that waits with a link."""
        terms = {name: value for name, value in asked.terms.items() if name in cls.model_fields}
        return cls(mandate_no=asked.object_no, member_no=asked.member, **terms)


class BindAccount(PartyOperation):
    """A member binds a bank account. Personal data in the clear: never log or store one."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.BIND_ACCOUNT

    member_no: str
    account_id: str
    account_no: str = Field(repr=False)
    account_name: str = Field(repr=False)
    is_corporate: bool
    cnaps_code: str
    bank_name: str
    make_default: bool

    @classmethod
    def of_document(cls, asked: AskedFor, opened: Opened) -> Self:
        """The binding that waits with a link, its number and name sealed."""
        account_no, account_name = opened(asked.object_no, asked.carry_out["sealed"])
        shown = {name: asked.terms[name] for name in ("is_corporate", "cnaps_code", "bank_name", "make_default")}
        return cls(
            member_no=asked.member,
            account_id=asked.object_no,
            account_no=account_no,
            account_name=account_name,
            **shown,
        )


class UnbindAccount(PartyOperation):
    """A member unbinds a bank account; `request_no` tells one asking from the next."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.UNBIND_ACCOUNT

    member_no: str
    account_id: str
    request_no: str

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The unbinding that waits with a link."""
        return cls(member_no=asked.member, account_id=asked.object_no, request_no=asked.carry_out["request_no"])

    def carry_out(self) -> dict[str, Any]:
        """The number of the asking."""
        return {"request_no": self.request_no}


class CloseMember(PartyOperation):
    """A member closes its wallet."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.CLOSE_MEMBER

    member_no: str
    request_no: str

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The closing that waits with a link."""
        return cls(member_no=asked.member, request_no=asked.number)
