"""What a party may have to authorise, as values: the same one whether a platform calls or a page carries it out.

A call makes one of what it was sent. Where the member authorises it, what is consented to waits with the link, and what
else carrying it out takes beside that; `operation_of` makes the same value of these. Amounts are integer fen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from escrow.domain.collections.batch_payments import BATCH_PAYMENT, MOST_ORDERS, PaidBy
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.pay_ins import pay_in_terms
from escrow.domain.members.account_operations import UNBIND
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.requests import PLATFORM_ITSELF


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """What was asked of a party, as its link keeps it.

    Args:
        number: of the consent that it is to give.
        member_no: who is asked; None for the platform's own contact person.
        terms: what exactly is consented to.
        carry_out: what else carrying it out takes, no part of what is consented to.
    """

    number: str
    member_no: str | None
    object_kind: str
    object_no: str
    operation: str
    terms: Mapping[str, Any]
    carry_out: Mapping[str, Any]

    @classmethod
    def of_link(cls, content: Mapping[str, Any], *, number: str, member_no: str) -> Self:
        """As it stands in a link's content; `member_no` is empty for the platform's contact person."""
        named = {name: content[name] for name in ("object_kind", "object_no", "operation", "terms", "carry_out")}
        return cls(number=number, member_no=member_no or None, **named)

    @property
    def is_taken_up(self) -> bool:
        """Whether its object takes the consent up by itself, as soon as that is recorded."""
        return self.object_kind in ("order", "withdrawal", "payment") and "method" not in self.terms

    @property
    def member(self) -> str:
        """The member who is asked, where only a member can be."""
        assert self.member_no is not None  # noqa: S101 - the contact person is asked for withdrawals alone
        return self.member_no


#: Opens the number and the name of a bank account that wait sealed: from its id and the seal.
Opened = Callable[[str, str], tuple[str, str]]


class _Value(BaseModel):
    """Base: immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Operation(_Value):
    """Base of those that can be authorised."""

    def carry_out(self) -> dict[str, Any]:
        """What carrying it out takes beside that which is consented to."""
        return {}


class PayingBy(_Value):
    """How a channel collects money.

    Args:
        account_id: the bound card of a quick payment; None for other methods.
        mandate_no: the mandate of a direct debit; None for other methods.
        expires_in_minutes: how long the payer may take.
        return_url: where its browser goes afterwards, empty for nowhere.
    """

    method: CollectionMethod
    account_id: str | None = None
    mandate_no: str | None = None
    expires_in_minutes: int = Field(default=30, gt=0)
    return_url: str = ""

    @classmethod
    def of_document(cls, method: str, carry_out: Mapping[str, Any]) -> Self:
        """By the method that was consented to, as kept beside that."""
        how = {name: carry_out[name] for name in cls.model_fields if name != "method" and name in carry_out}
        return cls(method=CollectionMethod(method), **how)

    def terms(self, amount_fen: int) -> dict[str, Any]:
        """What the payer consents to."""
        return pay_in_terms(
            method=self.method.value,
            amount_fen=amount_fen,
            account_id=self.account_id or "",
            mandate_no=self.mandate_no or "",
        )


class CommandOrder(_Operation):
    """Owner or contractor give an order a command."""

    order_no: str
    command: PartyCommand

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation(self.command.operation.value)

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The command that waits with a link."""
        command = PartyCommand(
            operation=OrderCommand(asked.operation),
            request_no=asked.number,
            by=asked.member,
            milestone=asked.carry_out["milestone"],
            note=asked.carry_out["note"],
        )
        return cls(order_no=asked.object_no, command=command)

    def carry_out(self) -> dict[str, Any]:
        """Its milestone, and what operators are told."""
        return {"milestone": self.command.milestone, "note": self.command.note}


class PayDirectly(_Operation):
    """An owner has a channel collect the full price of its order."""

    order_no: str
    request_no: str
    by: str
    how: PayingBy

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.DIRECT_PAYMENT

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The payment that waits with a link."""
        how = PayingBy.of_document(asked.terms["method"], asked.carry_out)
        return cls(order_no=asked.object_no, request_no=asked.number, by=asked.member, how=how)

    def carry_out(self) -> dict[str, Any]:
        """From where it is collected; the method itself is consented to."""
        return self.how.model_dump(mode="json", exclude={"method"})


class OrderToPay(_Value):
    """One order of a batch, with the price that its payer means."""

    order_no: str
    amount_fen: int = Field(gt=0)


class PayTogether(_Operation):
    """An owner pays orders of its own on one consent; `collection` is None from its balance."""

    batch_no: str
    payer_no: str
    orders: tuple[OrderToPay, ...] = Field(min_length=1, max_length=MOST_ORDERS)
    collection: PayingBy | None = None

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len({order.order_no for order in self.orders}) < len(self.orders):
            raise ValueError("an order must be named once")
        return self

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.BATCH_PAYMENT

    @property
    def total_fen(self) -> int:
        """What all orders cost together, in fen."""
        return sum(order.amount_fen for order in self.orders)

    @property
    def paid_by(self) -> PaidBy:
        """Where the money comes from."""
        return "balance" if self.collection is None else self.collection.method

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The batch that waits with a link."""
        paid_by = asked.terms["paid_by"]
        return cls(
            batch_no=asked.object_no,
            payer_no=asked.member,
            orders=tuple(
                OrderToPay(order_no=order["order_no"], amount_fen=order["amount_fen"])
                for order in asked.terms["orders"]
            ),
            collection=None if paid_by == "balance" else PayingBy.of_document(paid_by, asked.carry_out),
        )

    def carry_out(self) -> dict[str, Any]:
        """How a channel collects the total."""
        return {} if self.collection is None else self.collection.model_dump(mode="json")


class PayAtOnce(_Operation):
    """A member pays another without a guarantee; `payee_no` is None for the platform itself."""

    payment_no: str
    payer_no: str
    payee_no: str | None
    amount_fen: int = Field(gt=0)

    @model_validator(mode="before")
    @classmethod
    def _platform_is_nobody_else(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "payee_no": None} if given.get("payee_no") in ("", PLATFORM_ITSELF) else given

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.UNGUARANTEED_PAYMENT

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The payment that waits with a link."""
        return cls(
            payment_no=asked.object_no,
            payer_no=asked.member,
            payee_no=asked.terms["subject_no"],
            amount_fen=asked.terms["amount_fen"],
        )


class Withdraw(_Operation):
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


class SignMandate(_Operation):
    """A member lets one of its cards be debited, within two caps and until a day in Asia/Shanghai."""

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

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.SIGN_MANDATE

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The mandate that waits with a link."""
        terms = {name: value for name, value in asked.terms.items() if name in cls.model_fields}
        return cls(mandate_no=asked.object_no, member_no=asked.member, **terms)


class BindAccount(_Operation):
    """A member binds a bank account. Personal data in the clear: never log or store one."""

    member_no: str
    account_id: str
    account_no: str
    account_name: str
    is_corporate: bool
    cnaps_code: str
    bank_name: str
    make_default: bool

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.BIND_ACCOUNT

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


class UnbindAccount(_Operation):
    """A member unbinds a bank account; `request_no` tells one asking from the next."""

    member_no: str
    account_id: str
    request_no: str

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.UNBIND_ACCOUNT

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The unbinding that waits with a link."""
        return cls(member_no=asked.member, account_id=asked.object_no, request_no=asked.carry_out["request_no"])

    def carry_out(self) -> dict[str, Any]:
        """The number of the asking."""
        return {"request_no": self.request_no}


class CloseMember(_Operation):
    """A member closes its wallet."""

    member_no: str
    request_no: str

    @property
    def authorised_as(self) -> AuthorisedOperation:
        """As the configuration names it."""
        return AuthorisedOperation.CLOSE_MEMBER

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The closing that waits with a link."""
        return cls(member_no=asked.member, request_no=asked.number)


#: Each of them has one function that carries it out, in `api.carrying_out`.
Operation = (
    CommandOrder
    | PayDirectly
    | PayTogether
    | PayAtOnce
    | Withdraw
    | SignMandate
    | BindAccount
    | UnbindAccount
    | CloseMember
)


def operation_of(asked: AskedFor, *, opened: Opened) -> Operation:
    """The operation that waits with a link, told by what it is about.

    Args:
        opened: opens what waits sealed of a bank account.

    Raises:
        ValueError: it is none of ours.
    """
    match asked.object_kind:
        case "order" if "method" in asked.terms:
            return PayDirectly.of_document(asked)
        case "order":
            return CommandOrder.of_document(asked)
        case "withdrawal":
            return Withdraw.of_document(asked)
        case "payment":
            return PayAtOnce.of_document(asked)
        case kind if kind == BATCH_PAYMENT:
            return PayTogether.of_document(asked)
        case "mandate":
            return SignMandate.of_document(asked)
        case "bank_account" if asked.operation == UNBIND:
            return UnbindAccount.of_document(asked)
        case "bank_account":
            return BindAccount.of_document(asked, opened)
        case "member":
            return CloseMember.of_document(asked)
        case kind:
            raise ValueError(f"nothing carries out what concerns a {kind}")
