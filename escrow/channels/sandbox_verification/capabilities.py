"""Which banks' cards the sandbox bank's UnionPay check takes."""

from typing import Literal

from escrow.channels.sandbox_bank.messages import Message


class CheckedBank(Message):
    """One bank."""

    bank: str


class CardCheckBanks(Message):
    """The bank's answer about its UnionPay check."""

    health: Literal["UP", "SLOW", "DOWN"]
    banks: tuple[CheckedBank, ...]

    def as_banks(self) -> frozenset[str]:
        """Their short names; none while the service is down."""
        return frozenset() if self.health == "DOWN" else frozenset(bank.bank for bank in self.banks)
