"""What is said to the books about members: wishes with their consent, and what a counterpart was heard to say.

None of it comes from a process's input. A process names an object; whoever asks the counterpart tells what it heard.
"""

from dataclasses import dataclass
from typing import ClassVar

from escrow.domain.decisions import Unsaid
from escrow.domain.money.journal import Basis, BasisKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Unsaid):
    """Base of a command that nobody has to consent to; its object knows whether it was carried out."""

    name: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented(Heard):
    """Base of a command that stands on a recorded consent, by which a repeat is known.

    One that its party has to agree to in a certain way names the consent's number too: then the books look at it.

    Args:
        consent: the consent, with the hash of just this operation, which the database compares.
    """

    consent: Basis

    def uses(self, object_no: str) -> tuple[BasisKind, str] | None:
        """The consent."""
        return "consent", self.consent.reference
