"""The six rails a payout can take, and what is known of them by default (domain facts, all overridable)."""

from enum import StrEnum


class Rail(StrEnum):
    """A way for money from the custody account to a bank account."""

    IN_BANK = "in_bank"
    UNIONPAY = "unionpay"
    IBPS = "ibps"
    HVPS = "hvps"
    BEPS = "beps"
    SHENZHEN_LOCAL = "shenzhen_local"
