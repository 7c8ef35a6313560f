"""The bank as all others have it: one object behind the protocols. Which one it is, this module alone decides."""

from collections.abc import Mapping
from typing import Protocol

from escrow.channels.collections import Collections
from escrow.channels.identity import IdentityRegistry
from escrow.channels.protocols import BankNotice, Custody, Payouts, Sms
from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.verification import AccountVerification
from escrow.settings import Settings


class Bank(Custody, Payouts, Sms, Protocol):
    """A bank with all that it offers; close it with `aclose()`."""

    @property
    def collections(self) -> Collections:
        """Its channels that collect money."""
        ...

    @property
    def registry(self) -> IdentityRegistry:
        """The registers that it asks."""
        ...

    @property
    def verification(self) -> AccountVerification:
        """Its checks of bank accounts."""
        ...

    def verify_notice(self, headers: Mapping[str, str], body: bytes) -> BankNotice:
        """Check a notice's signature and age and read it.

        Args:
            headers: of the HTTP request, in a mapping that does not regard case.

        Raises:
            Refused: `notice_signature_invalid`, `notice_too_old` or `notice_unreadable`.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def bank_of(settings: Settings) -> Bank:
    """The bank that the settings name, not yet connected."""
    return SandboxBank(
        settings.bank_url,
        settings.bank_key.get_secret_value(),
        connect_timeout_seconds=settings.bank_connect_seconds,
        read_timeout_seconds=settings.bank_answer_seconds,
    )
