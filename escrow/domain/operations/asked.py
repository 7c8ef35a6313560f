"""What was asked of a party, as its link keeps it until the party authorises it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


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


class Value(BaseModel):
    """Base of operations and of their parts: immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PartyOperation(Value):
    """Base of operations: where the member authorises one, `of_document` makes it of what waits with the link."""

    def carry_out(self) -> dict[str, Any]:
        """What carrying it out takes beside that which is consented to."""
        return {}
