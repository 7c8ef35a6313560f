"""Commands to a transfer: make the payment, the assignment or the reversal that a consent asks for.

Each stands on the one consent that its number has, so a reference is all that anybody can give. Whose and how much it
is, the consent says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from escrow.domain.decisions import Fact, GivenConsent
from escrow.domain.money.journal import BasisKind
from escrow.domain.requests import PLATFORM_ITSELF, derived
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no


@dataclass(frozen=True, slots=True, kw_only=True)
class _Make:
    """Base of what makes a transfer.

    Args:
        transfer_no: its number among the platform's transfers of that kind.
    """

    transfer_no: str

    name: ClassVar[str] = "make"
    kind: ClassVar[TransferKind]
    needs: ClassVar[frozenset[Fact]]

    @property
    def consent_no(self) -> str | None:
        """Number of the consent that asks for it."""
        return transfer_consent_no(self.kind, self.transfer_no)

    def uses(self, object_no: str) -> tuple[BasisKind, str] | None:
        """The consent."""
        return "consent", transfer_consent_no(self.kind, self.transfer_no)

    def own_no(self, object_no: str) -> str | None:
        """A transfer is made once."""
        return derived("", self.kind, self.transfer_no, "make")

    def content(self) -> Mapping[str, Any]:
        """Nothing besides its number."""
        return {}

    def is_said_in(self, consent: GivenConsent, object_no: str) -> bool:
        """Whether a consent asks for just this transfer: its payer's of a payment, else the platform's."""
        by = consent.terms.get("member_no") if self.kind is TransferKind.PAYMENT else PLATFORM_ITSELF
        said = (consent.object_kind, consent.object_no, consent.operation, consent.given_by)
        return said == (self.kind.value, object_no, self.kind.value, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay(_Make):
    """A member pays another, or a self-operated platform, without a guarantee."""

    kind = TransferKind.PAYMENT
    needs = frozenset({Fact.CONFIG, Fact.MEMBERS, Fact.BALANCES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(_Make):
    """Money in suspense goes to the member that it belongs to.

    Args:
        was_paid_to_member: of what a bank gave back of a payout: whether it was paid to somebody of the member's name,
            which is sealed and therefore compared by who gives this command.
    """

    kind = TransferKind.ASSIGNMENT
    needs = frozenset({Fact.CONFIG, Fact.MEMBERS, Fact.CREDIT})

    was_paid_to_member: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse(_Make):
    """What a member was assigned by mistake, and still has, goes back to suspense."""

    kind = TransferKind.REVERSAL
    needs = frozenset({Fact.ASSIGNED, Fact.BALANCES})
