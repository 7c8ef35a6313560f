"""Functional sub-accounts: opened with their platform, each an object with its event, and read with balances."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.money.journal import Change, Posting
from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS
from escrow.domain.requests import derived
from escrow.ledger.engine import Reader
from escrow.ledger.posting import post_within

_KIND = "sub_account"


async def open_sub_accounts(session: AsyncSession, platform_no: str) -> None:
    """Open, in the session's transaction, every functional sub-account that the platform does not have yet."""
    for item in FUNCTIONAL_SUB_ACCOUNTS:
        posting = Posting(
            platform_no=platform_no,
            request_no=derived("", "platform", "sub_account", item.number),
            content={"sub_account_no": item.number},
            changes=(
                Change(
                    kind=_KIND,
                    object_no=item.number,
                    event_type="sub_account.opened",
                    status="open",
                    body={"name": item.name, "chinese_name": item.chinese_name},
                    must_be_new=True,
                ),
            ),
        )
        await post_within(session, posting)


async def opened_sub_accounts(reader: Reader, platform_no: str) -> Mapping[str, datetime]:
    """When each functional sub-account of a platform was opened, by its number."""
    rows = await reader.rows(
        "SELECT object_no, created_at FROM business_object WHERE platform_no = $1 AND kind = $2", platform_no, _KIND
    )
    return {row["object_no"]: row["created_at"] for row in rows}
