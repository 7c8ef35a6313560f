"""What parties ask of orders: commands, and paying them through a channel or together."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from escrow.domain.collections.batch_payments import MOST_ORDERS, PaidBy
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import collection_terms, require_only_its_own
from escrow.domain.documents import OptionalText
from escrow.domain.operations.asked import AskedFor, PartyOperation, Value
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.authorisations import AuthorisedOperation


class PayingBy(Value):
    """How a channel collects money.

    Args:
        account_id: the bound card of a quick payment; None for other methods.
        mandate_no: the mandate of a direct debit; None for other methods.
        expires_in_minutes: how long the payer may take.
        return_url: where its browser goes afterwards, None for nowhere.
    """

    method: CollectionMethod
    account_id: str | None = None
    mandate_no: str | None = None
    expires_in_minutes: int = Field(default=30, gt=0)
    return_url: OptionalText = None

    @model_validator(mode="after")
    def _names_only_its_own(self) -> Self:
        require_only_its_own(self.method, account_id=self.account_id, mandate_no=self.mandate_no)
        return self

    @classmethod
    def of_document(cls, method: str, carry_out: Mapping[str, Any]) -> Self:
        """By the method that was consented to, as kept beside that."""
        how = {name: carry_out[name] for name in cls.model_fields if name != "method" and name in carry_out}
        return cls(method=CollectionMethod(method), **how)

    def terms(self, amount_fen: int) -> dict[str, Any]:
        """What the payer consents to."""
        return collection_terms(
            method=self.method.value, amount_fen=amount_fen, account_id=self.account_id, mandate_no=self.mandate_no
        )


class CommandOrder(PartyOperation):
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


class PayDirectly(PartyOperation):
    """An owner has a channel collect the full price of its order."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.DIRECT_PAYMENT

    order_no: str
    request_no: str
    by: str
    how: PayingBy

    @classmethod
    def of_document(cls, asked: AskedFor) -> Self:
        """The payment that waits with a link."""
        how = PayingBy.of_document(asked.terms["method"], asked.carry_out)
        return cls(order_no=asked.object_no, request_no=asked.number, by=asked.member, how=how)

    def carry_out(self) -> dict[str, Any]:
        """From where it is collected; the method itself is consented to."""
        return self.how.model_dump(mode="json", exclude={"method"})


class OrderToPay(Value):
    """One order of a batch, with the price that its payer means."""

    order_no: str
    amount_fen: int = Field(gt=0)


class PayTogether(PartyOperation):
    """An owner pays orders of its own on one consent; `collection` is None from its balance."""

    authorised_as: ClassVar[AuthorisedOperation] = AuthorisedOperation.BATCH_PAYMENT

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
