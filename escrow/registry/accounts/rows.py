"""What is known of a bank account, and how its personal data goes into its row and out again."""

from dataclasses import dataclass
from datetime import datetime

from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import is_corporate_account_no, is_unionpay_card, require_cnaps_code
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.tables import BankAccountRow


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBankAccount:
    """A bank account to bind.

    Args:
        account_id: the platform's own number of this binding; never used for another.
        account_no: card number (16-19 digits, Luhn, prefix 62) or corporate account (9-32 digits).
        account_name: must be the member's name.
        cnaps_code: 12 digits of the bank's branch, empty when unknown; some rails need it.
        make_default: withdrawals that name no account go here; the first account is the default anyway.
    """

    account_id: str
    account_no: str
    account_name: str
    is_corporate: bool
    cnaps_code: str = ""
    bank_name: str = ""
    make_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """A bound or once bound account with personal data in the clear: never log or store one elsewhere.

    `member_no` is empty for the platform's own account.
    """

    platform_no: str
    account_id: str
    member_no: str
    account_no: str
    account_name: str
    is_corporate: bool
    cnaps_code: str
    bank_name: str
    verification: str
    is_default: bool
    bound_at: datetime
    unbound_at: datetime | None

    @property
    def is_bound(self) -> bool:
        """Whether money may go there now."""
        return self.unbound_at is None


class BankAccountDrawer:
    """Seals bank accounts into rows and opens them.

    Args:
        box: seals and opens personal data.
    """

    def __init__(self, box: PersonalDataBox) -> None:
        self._box = box

    def index(self, platform_no: str, account_no: str) -> bytes:
        """Blind index by which an account number is found again on its platform."""
        return self._box.blind_index(account_no, field=f"{platform_no}/account_no")

    def sealed(
        self, platform_no: str, member_no: str, account: NewBankAccount, *, is_default: bool, now: datetime
    ) -> BankAccountRow:
        """Row of a new binding."""
        place = f"{platform_no}/bank_account/{account.account_id}"
        return BankAccountRow(
            platform_no=platform_no,
            account_id=account.account_id,
            member_no=member_no,
            account_no_sealed=self._box.seal(account.account_no, place=f"{place}/account_no"),
            account_no_index=self.index(platform_no, account.account_no),
            account_name_sealed=self._box.seal(account.account_name, place=f"{place}/account_name"),
            is_corporate=account.is_corporate,
            cnaps_code=account.cnaps_code,
            bank_name=account.bank_name,
            verification=vouched_by(member_no),
            is_default=is_default,
            bound_at=now,
        )

    def opened(self, row: BankAccountRow) -> BankAccount:
        """The account of a row, in the clear.

        Raises:
            PersonalDataUnreadable: the row was altered.
        """
        place = f"{row.platform_no}/bank_account/{row.account_id}"
        return BankAccount(
            platform_no=row.platform_no,
            account_id=row.account_id,
            member_no=row.member_no,
            account_no=self._box.open(row.account_no_sealed, place=f"{place}/account_no"),
            account_name=self._box.open(row.account_name_sealed, place=f"{place}/account_name"),
            is_corporate=row.is_corporate,
            cnaps_code=row.cnaps_code,
            bank_name=row.bank_name,
            verification=row.verification,
            is_default=row.is_default,
            bound_at=row.bound_at,
            unbound_at=row.unbound_at,
        )


def check_numbers(account: NewBankAccount) -> None:
    """Check the digits of an account number and of a CNAPS code.

    Raises:
        Refused: `account_no_invalid` or `cnaps_code_invalid`.
    """
    fits = is_corporate_account_no if account.is_corporate else is_unionpay_card
    if not fits(account.account_no):
        expected = "9 to 32 digits" if account.is_corporate else "a UnionPay card number, 16 to 19 digits from 62"
        raise Refused("account_no_invalid", f"The account number is mistyped: expected {expected}.")
    require_cnaps_code(account.cnaps_code)


def vouched_by(member_no: str) -> str:
    """Who vouches for a newly bound account: the operator for a platform's own, nobody yet for a member's."""
    # The platform's own account stands in the file with which an operator opened it; members' are yet to be verified.
    return "none" if member_no else "operator"
