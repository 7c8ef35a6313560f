"""What we ask of a bank to check that an account belongs to somebody, as a protocol.

Errors as in `escrow.channels.protocols`. A `confirm` without an answer is `OutcomeUnknown`: query, since each wrong
try counts.
"""

from dataclasses import dataclass
from typing import Protocol

from escrow.domain.members.account_verification import CardCheckAnswer, MicroDepositAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroDepositOrder:
    """Sends a random amount of at most 0.50 yuan out of the custody account; personal data, as in `PayoutOrder`.

    The custody line has kind `micro_deposit` and this `request_no`; a returned deposit comes back with kind
    `micro_deposit_return` and the same number.
    """

    request_no: str
    custody_account_no: str
    account_no: str
    account_name: str
    is_corporate: bool
    cnaps_code: str
    mobile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardCheckOrder:
    """A person's name, ID number, card and the mobile that the card's bank knows: personal data.

    It is asked for on behalf of a platform's custody account.
    """

    request_no: str
    custody_account_no: str
    name: str
    citizen_id: str
    card_no: str
    mobile: str


class AccountVerification(Protocol):
    """Micro-deposits and UnionPay checks.

    Where a number may be unknown to the bank, `custody_account_no` names the account by whose time it is waited for.
    """

    async def card_check_banks(self) -> frozenset[str]:
        """Short names of the banks whose cards the UnionPay check takes; empty while it is out of service."""
        ...

    async def send_micro_deposit(self, order: MicroDepositOrder) -> MicroDepositAnswer:
        """Send the deposit and its SMS once; a repeat of a known number is answered with its state."""
        ...

    async def query_micro_deposit(self, request_no: str, *, custody_account_no: str) -> MicroDepositAnswer:
        """State of the deposit; NOT_FOUND with `final` once it can no longer arrive."""
        ...

    async def confirm_micro_deposit(self, request_no: str, *, amount_fen: int, reference: str) -> MicroDepositAnswer:
        """Try an amount; `code_check` says how it compared. The third wrong one ends it, and so do 48 hours."""
        ...

    async def start_card_check(self, order: CardCheckOrder) -> CardCheckAnswer:
        """Check card, name, ID and mobile and send an SMS code; a repeat of a known number sends nothing more.

        Raises:
            BankDeclined: `card_bank_not_supported`, `card_data_mismatch`, `account_no_invalid` …
        """
        ...

    async def query_card_check(self, request_no: str, *, custody_account_no: str) -> CardCheckAnswer:
        """State of the check; NOT_FOUND with `final` once it can no longer arrive."""
        ...

    async def confirm_card_check(self, request_no: str, code: str) -> CardCheckAnswer:
        """Try the code; `code_check` says how it compared. Good for 120 s; the third wrong one ends the check."""
        ...

    async def send_card_code_again(self, request_no: str) -> CardCheckAnswer:
        """Send a new code for a check under way; the old one is void."""
        ...
