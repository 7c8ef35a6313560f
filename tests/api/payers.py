"""Payers whose bank knows them: UnionPay's public test identity, with cards of several banks."""

from datetime import timedelta
from typing import Any

from stdnum import luhn

from tests.api.platforms import Platform, created
from tests.beginning import beginning
from tests.identities import verify

#: The name that the register has under the test identity's number.
NAME, MOBILE = "全渠道", "13552535506"
#: What the bank sends to the test identity's mobile.
CODE = "111111"


def card_of(prefix: str, number: int = 1) -> str:
    """A card of the bank with this prefix."""
    body = f"{prefix}{number:012d}"
    return body + luhn.calc_check_digit(body)


async def open_payer(platform: Platform, member_no: str = "O-1", prefix: str = "622202", mobile: str = MOBILE) -> None:
    """Open a verified member with a bound card `A-{member_no}`; by default of ICBC."""
    await created(platform.post("/members", member_no=member_no, kind="person", name=NAME, mobile=mobile))
    await verify(platform.registry, platform.number, member_no)
    await created(
        platform.post(
            f"/members/{member_no}/bank-accounts",
            account_id=f"A-{member_no}",
            account_no=card_of(prefix, int("".join(sign for sign in member_no if sign.isdigit()))),
            account_name=NAME,
            is_corporate=False,
            bank_name="工商银行",
        )
    )


def mandate_body(mandate_no: str = "M-1", **changes: Any) -> dict[str, Any]:
    """What a member signs: a thousand yuan at once, two thousand a day, for a year."""
    return {
        "mandate_no": mandate_no,
        "account_id": "A-O-1",
        "per_debit_fen": 100_000,
        "per_day_fen": 200_000,
        "last_day": (beginning().date() + timedelta(days=365)).isoformat(),
        **changes,
    }


async def sign_mandate(platform: Platform, mandate_no: str = "M-1", member_no: str = "O-1", **changes: Any) -> Any:
    """Sign a mandate that the bank takes; the answer."""
    body = mandate_body(mandate_no, **{"account_id": f"A-{member_no}", **changes})
    mandate = await created(platform.post(f"/members/{member_no}/mandates", **body))
    assert mandate["status"] == "active", mandate
    return mandate


def debit_body(top_up_no: str = "T-1", amount_fen: int = 10_000, **changes: Any) -> dict[str, Any]:
    """A top-up by direct debit."""
    body = {"top_up_no": top_up_no, "member_no": "O-1", "method": "direct_debit", "mandate_no": "M-1"}
    return {**body, "amount_fen": amount_fen, **changes}
