"""How a bank account is shown, of a member or of the platform itself."""

from pydantic import Field

from api.schemas import Time, View
from escrow.domain.members.identity_numbers import mask
from escrow.registry.accounts.rows import BankAccount


class BankAccountView(View):
    """A bank account; its number is masked."""

    account_id: str
    member_no: str
    account_no_masked: str = Field(examples=["6216****0018"])
    is_corporate: bool
    cnaps_code: str
    bank_name: str
    status: str = Field(description="`bound` or `unbound`")
    verification: str = Field(
        description="How the account was verified: `none`, `micro_deposit`, `unionpay`, or by an `operator`."
    )
    is_default: bool
    bound_at: Time
    unbound_at: Time | None


def bank_account_view(account: BankAccount) -> BankAccountView:
    """How a bank account is shown."""
    return BankAccountView(
        account_id=account.account_id,
        member_no=account.member_no,
        account_no_masked=mask(account.account_no),
        is_corporate=account.is_corporate,
        cnaps_code=account.cnaps_code,
        bank_name=account.bank_name,
        status="bound" if account.is_bound else "unbound",
        verification=account.verification,
        is_default=account.is_default,
        bound_at=account.bound_at,
        unbound_at=account.unbound_at,
    )
