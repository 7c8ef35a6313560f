"""What the books say of a withdrawal: what was asked for, and every payment order that was about to be sent.

A workflow's input and state can be invented by whoever may start workflows; what was held and which payment orders
were recorded cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from escrow.domain.errors import Refused
from escrow.domain.requests import derived
from escrow.ledger.engine import Reader
from escrow.ledger.objects import recorded_steps

_FACTS = ("member_no", "account_id", "principal_fen", "fee_fen", "credit_no", "cnaps_code", "payee_is_named")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWithdrawal:
    """One withdrawal in the books. `payout_nos` are the request numbers of its recorded payment orders."""

    withdrawal_no: str
    held: Mapping[str, Any]
    payout_nos: frozenset[str]

    @property
    def credit_no(self) -> str:
        """The suspense credit whose money it sends back; empty for any other withdrawal."""
        return self.held.get("credit_no") or ""

    def require(self, **facts: Any) -> None:
        """What is to be paid, settled or given back must be what was held.

        Raises:
            Refused: `withdrawal_differs`.
        """
        differs = sorted(name for name, value in facts.items() if self.held.get(name) != value)
        if differs:
            raise Refused("withdrawal_differs", f"{self.withdrawal_no} was held with another {', '.join(differs)}.")

    def require_payee(self, *, returned_as: str) -> None:
        """Money of a suspense credit goes to the payee of just this return, any other to a bound account.

        Raises:
            Refused: `withdrawal_differs`.
        """
        if returned_as != (self.withdrawal_no if self.credit_no else ""):
            raise Refused("withdrawal_differs", f"{self.withdrawal_no} was held for another payee.")

    def require_attempt(self, request_no: str) -> None:
        """A payment order must be recorded before it is sent, or a later one could not be held against it.

        Raises:
            Refused: `withdrawal_differs`.
        """
        if request_no not in self.payout_nos:
            raise Refused("withdrawal_differs", f"The payment order {request_no} was not recorded; nothing was sent.")


async def recorded_withdrawal(reader: Reader, platform_no: str, withdrawal_no: str) -> RecordedWithdrawal:
    """The withdrawal as the books have it; one that was never held has no facts."""
    steps = await recorded_steps(reader, platform_no, "withdrawal", withdrawal_no, facts=_FACTS)
    held_as, attempted_as = derived(withdrawal_no, "hold"), derived(withdrawal_no, "attempt", "")
    return RecordedWithdrawal(
        withdrawal_no=withdrawal_no,
        held=next((step.facts for step in steps if step.request_no == held_as), {}),
        payout_nos=frozenset(
            derived(withdrawal_no, "payout", step.request_no.removeprefix(attempted_as))
            for step in steps
            if step.request_no.startswith(attempted_as)
        ),
    )
