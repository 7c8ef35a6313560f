"""What exactly a member consents to when it binds or unbinds a bank account; changing any of it voids the consent."""

from typing import Any

#: Operations of a consent whose object is a `bank_account`.
BIND, UNBIND = "bind", "unbind"


def binding_terms(
    *,
    account_digest: str,
    account_no_masked: str,
    is_corporate: bool,
    cnaps_code: str,
    bank_name: str,
    make_default: bool,
) -> dict[str, Any]:
    """Binding consents to exactly this account.

    Args:
        account_digest: keyed digest of its number and name, by which another account is told apart.
        account_no_masked: what the member is shown of the number; consents hold no personal data.
    """
    return {
        "account_digest": account_digest,
        "account_no_masked": account_no_masked,
        "is_corporate": is_corporate,
        "cnaps_code": cnaps_code,
        "bank_name": bank_name,
        "make_default": make_default,
    }


def unbinding_terms(*, account_no_masked: str) -> dict[str, Any]:
    """Unbinding consents to no longer using the account whose binding the consent names."""
    return {"account_no_masked": account_no_masked}
