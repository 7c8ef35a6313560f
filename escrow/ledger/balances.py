"""Balances as they stand now, in fen. Accounts that were never used have a balance of zero."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func
from sqlmodel import col, select

from escrow.domain.money.accounts import AccountKey, Purpose
from escrow.domain.money.funding import EscrowClass, FundingLeg, held_by_class
from escrow.ledger.engine import Reader
from escrow.ledger.tables import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberBalances:
    """What one member has, by what can be done with it.

    Args:
        withdrawable_fen: can be spent and withdrawn now.
        pending_fen_by_day: can be spent now, and withdrawn once that accounting day is closed (T+1).
        frozen_fen: own money held without an order.
        in_escrow_fen_by_order: held for orders, as their owner.
        funding_by_order: what paid the orders that hold money.
        in_payout_fen_by_withdrawal: on its way to the bank.
    """

    withdrawable_fen: int
    pending_fen_by_day: dict[date, int]
    frozen_fen: int
    in_escrow_fen_by_order: dict[str, int]
    funding_by_order: dict[str, tuple[FundingLeg, ...]]
    in_payout_fen_by_withdrawal: dict[str, int]

    @property
    def pending_fen(self) -> int:
        """Pending money of all days."""
        return sum(self.pending_fen_by_day.values())

    @property
    def available_fen(self) -> int:
        """What can be spent now: withdrawable and pending."""
        return self.withdrawable_fen + self.pending_fen

    @property
    def in_escrow_fen(self) -> int:
        """Held for all orders of the member as owner."""
        return sum(self.in_escrow_fen_by_order.values())

    @property
    def in_escrow_fen_by_class(self) -> dict[EscrowClass, int]:
        """The same by where it came from; every class is named.

        Raises:
            Refused: `refund_exceeds_funding`, an order holds more than its funding legs brought.
        """
        total = dict.fromkeys(EscrowClass, 0)
        for order_no, held_fen in self.in_escrow_fen_by_order.items():
            for escrow_class, part_fen in held_by_class(self.funding_by_order[order_no], held_fen).items():
                total[escrow_class] += part_fen
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformBalances:
    """All sub-accounts under a platform's custody account, summed by purpose.

    Args:
        fen_by_purpose: every purpose in use; `custody` carries the counter-sign.
    """

    fen_by_purpose: dict[Purpose, int]

    @property
    def custody_at_bank_fen(self) -> int:
        """What the bank should show for the custody account once all of its lines are posted."""
        return -self.fen_by_purpose.get(Purpose.CUSTODY, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """One account with its balance; `version` counts its lines, `account_id` orders and pages lists."""

    account_id: int
    account: AccountKey
    balance_fen: int
    version: int


async def member_balances(reader: Reader, platform_no: str, member_no: str) -> MemberBalances:
    """Balances of a member, all of one moment."""
    rows = await reader.rows(
        "SELECT a.purpose, a.ref, a.balance_fen, o.body -> 'funding' AS funding FROM account a"
        " LEFT JOIN business_object o ON a.purpose = 'escrow'"
        " AND o.platform_no = a.platform_no AND o.kind = 'order' AND o.object_no = a.ref"
        " WHERE a.platform_no = $1 AND a.member_no = $2 AND a.balance_fen <> 0",
        platform_no,
        member_no,
    )
    by_ref: defaultdict[str, dict[str, int]] = defaultdict(dict)
    funding: dict[str, tuple[FundingLeg, ...]] = {}
    for row in rows:
        by_ref[row["purpose"]][row["ref"]] = row["balance_fen"]
        if row["purpose"] == Purpose.ESCROW:
            funding[row["ref"]] = tuple(FundingLeg(**leg) for leg in row["funding"] or ())
    return MemberBalances(
        withdrawable_fen=sum(by_ref[Purpose.WITHDRAWABLE].values()),
        pending_fen_by_day={date.fromisoformat(day): fen for day, fen in sorted(by_ref[Purpose.PENDING].items())},
        frozen_fen=sum(by_ref[Purpose.FROZEN].values()),
        in_escrow_fen_by_order=by_ref[Purpose.ESCROW],
        funding_by_order=funding,
        in_payout_fen_by_withdrawal=by_ref[Purpose.PAYOUT],
    )


async def platform_balances(reader: Reader, platform_no: str) -> PlatformBalances:
    """Sums by purpose over all accounts of a platform, all of one moment."""
    query = (
        select(Account.purpose, func.sum(Account.balance_fen))
        .where(Account.platform_no == platform_no)
        .group_by(col(Account.purpose))
    )
    async with reader.session() as session:
        sums = (await session.exec(query)).all()
    return PlatformBalances(fen_by_purpose={Purpose(purpose): int(fen) for purpose, fen in sums})


async def find_account(reader: Reader, account: AccountKey) -> AccountBalance | None:
    """One account as it stands, None when it was never used."""
    row = await reader.row(
        "SELECT id, balance_fen, version FROM account"
        " WHERE platform_no = $1 AND member_no = $2 AND purpose = $3 AND ref = $4",
        account.platform_no,
        account.member_no,
        account.purpose.value,
        account.ref,
    )
    if row is None:
        return None
    return AccountBalance(account_id=row["id"], account=account, balance_fen=row["balance_fen"], version=row["version"])


async def account_balance_fen(reader: Reader, account: AccountKey) -> int:
    """Balance of one account, zero when it was never used."""
    row = await reader.row(
        "SELECT balance_fen FROM account WHERE platform_no = $1 AND member_no = $2 AND purpose = $3 AND ref = $4",
        account.platform_no,
        account.member_no,
        account.purpose.value,
        account.ref,
    )
    return 0 if row is None else int(row["balance_fen"])


async def moved_fen(reader: Reader, *, out_of: AccountKey, into: AccountKey) -> int:
    """What entries that took from the one account have brought to the other, of the same platform, in all."""
    row = await reader.row(
        "SELECT coalesce(sum(brought.amount_fen), 0)::bigint AS brought_fen FROM account one"
        " JOIN entry_line taken ON taken.account_id = one.id AND taken.amount_fen < 0"
        " JOIN entry_line brought ON brought.entry_id = taken.entry_id AND brought.amount_fen > 0"
        " JOIN account other ON other.id = brought.account_id AND other.platform_no = one.platform_no"
        " WHERE one.platform_no = $1 AND (one.member_no, one.purpose, one.ref) = ($2, $3, $4)"
        " AND (other.member_no, other.purpose, other.ref) = ($5, $6, $7)",
        out_of.platform_no,
        *(out_of.member_no, out_of.purpose.value, out_of.ref),
        *(into.member_no, into.purpose.value, into.ref),
    )
    return 0 if row is None else int(row["brought_fen"])


async def list_accounts(
    reader: Reader,
    platform_no: str,
    *,
    member_no: str | None = None,
    purpose: Purpose | None = None,
    after_account_id: int = 0,
    limit: int = 50,
) -> list[AccountBalance]:
    """Accounts of a platform in order of opening; `member_no` empty for the functional ones, None for all."""
    query = select(Account).where(Account.platform_no == platform_no, Account.id > after_account_id)
    if member_no is not None:
        query = query.where(Account.member_no == member_no)
    if purpose is not None:
        query = query.where(Account.purpose == purpose.value)
    async with reader.session() as session:
        rows = (await session.exec(query.order_by(col(Account.id)).limit(limit))).all()
    return [balance_of(row) for row in rows]


def balance_of(row: Account) -> AccountBalance:
    """An account's row with its key."""
    return AccountBalance(account_id=row.id, account=key_of(row), balance_fen=row.balance_fen, version=row.version)


def key_of(row: Account) -> AccountKey:
    """The key of an account's row."""
    return AccountKey(platform_no=row.platform_no, purpose=Purpose(row.purpose), member_no=row.member_no, ref=row.ref)
