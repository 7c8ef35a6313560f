"""Whom the story is about, and their platform: always the same names, numbers and accounts."""

from datetime import datetime, timedelta, timezone
from uuid import uuid4

import httpx2

from escrow.testing.client import PlatformUnderTest
from escrow.testing.numbers import Numbers
from escrow.testing.waiting import PATIENCE_SECONDS
from tests.journeys.as_before.chance import Json

SHANGHAI = timezone(timedelta(hours=8))
#: A Tuesday morning in a year whose working days are known.
BEGINS_AT = datetime(2026, 6, 2, 10, tzinfo=SHANGHAI)
CONTACT_MOBILE = "13900000001"
CONSENT: dict[str, Json] = {"text_version": "testing-1", "address": "127.0.0.1"}
_NUMBERS = Numbers("as before")
OWNER: dict[str, Json] = {
    "name": "王小明",
    "mobile": _NUMBERS.mobile(),
    "id_no": _NUMBERS.citizen_id(),
    "card": _NUMBERS.card(),
}
COMPANY: dict[str, Json] = {
    "name": "精工装饰有限公司",
    "mobile": _NUMBERS.mobile(),
    "id_no": _NUMBERS.credit_code(),
    "account": _NUMBERS.account(),
    "cnaps_code": _NUMBERS.cnaps_code(),
}
REPRESENTATIVE: dict[str, Json] = {"name": "李建国", "id_no": _NUMBERS.citizen_id()}
OWN_ACCOUNT: dict[str, Json] = {"account_id": "OWN-1", "account_no": _NUMBERS.account(), "cnaps_code": "307584007998"}
STRANGER = _NUMBERS.card()
PLAN: list[Json] = [
    {"name": "定金", "kind": "start", "share": "30%"},
    {"name": "水电验收", "kind": "acceptance", "share": "30%"},
    {"name": "竣工验收", "kind": "acceptance", "share": "35%"},
    {"name": "质保金", "kind": "warranty", "share": "5%"},
]
SHORT_PLAN: list[Json] = [
    {"name": "定金", "kind": "start", "amount_fen": 120_000},
    {"name": "完工验收", "kind": "acceptance", "amount_fen": 280_000},
]


async def platform_on(api_url: str, bank_url: str) -> PlatformUnderTest:
    """Open the story's platform on a sandbox stack; only its number is another each time."""
    number, name = f"BEFORE-{uuid4().hex[:12]}", "好家装修平台有限公司"
    file = {"platform_no": number, "name": name, "contact_mobile": CONTACT_MOBILE, "own_bank_account": OWN_ACCOUNT}
    async with httpx2.AsyncClient(base_url=api_url, timeout=PATIENCE_SECONDS, trust_env=False) as http:
        body = {"platform_file": file, "begin_at": BEGINS_AT.isoformat()}
        opened = (await http.post("/v1/sandbox/platforms", json=body)).raise_for_status().json()
    return PlatformUnderTest(
        platform_no=number,
        name=name,
        key=opened["key"],
        custody_account_no=opened["custody_account_no"],
        contact_mobile=CONTACT_MOBILE,
        own_account_no=OWN_ACCOUNT["account_no"],
        begins_at=BEGINS_AT,
        api_url=api_url,
        bank_url=bank_url,
    )
