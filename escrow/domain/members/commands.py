"""What is said to the books about members: wishes with their consent, and what a counterpart was heard to say.

None of it comes from a process's input. A process names an object; whoever asks the counterpart tells what it heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from escrow.domain.decisions import Fact, GivenConsent
from escrow.domain.money.journal import Basis, BasisKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Base of a command that nobody has to consent to; its object knows whether it was carried out."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Fact]] = frozenset()
    consent_no: ClassVar[str | None] = None

    def uses(self, object_no: str) -> tuple[BasisKind, str] | None:
        """No basis."""
        return None

    def own_no(self, object_no: str) -> str | None:
        """No number of its own."""
        return None

    def content(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def is_said_in(self, consent: GivenConsent, object_no: str) -> bool:
        """Nobody says it."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented(Heard):
    """Base of a command that stands on a recorded consent, by which a repeat is known.

    Args:
        consent: the consent, with the hash of just this operation, which the database compares.
    """

    consent: Basis

    def uses(self, object_no: str) -> tuple[BasisKind, str] | None:
        """The consent."""
        return "consent", self.consent.reference
