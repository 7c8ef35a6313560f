"""Our side of what is compared: with the bank's custody account, and with what channels collect and settle."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from escrow.domain.collections.channel_comparison import BookedPayment, BookedRefund, BookedSettlement, ChannelBooks
from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.transfers.bank_comparison import LineKept
from escrow.ledger.engine import Reader

_CUSTODY = text("SELECT -balance_fen FROM account WHERE platform_no = :platform_no AND purpose = 'custody'")
_LINES = text(
    "SELECT line_no, bank_serial_no, amount_fen, entry_id IS NOT NULL AS posted FROM bank_line"
    " WHERE platform_no = :platform_no"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyBooks:
    """What our books expect at the bank, in fen, and the bank lines kept, by line number."""

    custody_fen: int
    kept: dict[int, LineKept]


async def custody_books(reader: Reader, platform_no: str) -> CustodyBooks:
    """Custody balance and kept bank lines of a platform, both of one moment.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    parameters = {"platform_no": platform_no}
    async with reader.snapshot() as connection:
        custody_fen = await connection.scalar(_CUSTODY, parameters)
        rows = (await connection.execute(_LINES, parameters)).all()
    return CustodyBooks(
        custody_fen=custody_fen or 0,
        kept={
            row.line_no: LineKept(bank_serial_no=row.bank_serial_no, amount_fen=row.amount_fen, posted=row.posted)
            for row in rows
        },
    )


_PAYMENTS = text("""
    SELECT split_part(e.request_no, :booking_prefix, 2) AS payment_no,
        max(a.ref) FILTER (WHERE a.purpose = 'channel_due') AS method,
        (-sum(l.amount_fen) FILTER (WHERE a.purpose = 'channel_due'))::bigint AS paid_fen,
        coalesce(sum(l.amount_fen) FILTER (WHERE a.purpose = 'withdrawable'), 0)::bigint AS withdrawable_fen,
        max(a.ref) FILTER (WHERE a.purpose = 'pending') AS pending_day,
        max(told.pay_in_no) AS pay_in_no,
        max(told.collection_no) AS collection_no,
        max(told.settles_on) AS settles_on
    FROM entry e JOIN entry_line l ON l.entry_id = e.id JOIN account a ON a.id = l.account_id
    CROSS JOIN LATERAL (
        SELECT max(v.object_no) FILTER (WHERE v.kind = 'pay_in') AS pay_in_no,
            max(v.body #>> '{direct,collection_no}') AS collection_no,
            max(v.body #>> '{direct,settles_on}') AS settles_on
        FROM event v WHERE v.platform_no = e.platform_no AND v.request_no = e.request_no) told
    WHERE e.platform_no = :platform_no
        AND e.recipe IN ('collection_credited', 'collection_suspended', 'order_paid_directly', 'batch_paid_directly')
    GROUP BY e.id
""")
_REFUNDS = text("""
    SELECT regexp_replace(e.request_no, '[:]end$', '') AS refund_no, h.ref AS payment_no, c.ref AS method,
        due.amount_fen
    FROM entry e
    JOIN entry_line held ON held.entry_id = e.id JOIN account h ON h.id = held.account_id AND h.purpose = 'refund'
    JOIN entry_line due ON due.entry_id = e.id JOIN account c ON c.id = due.account_id AND c.purpose = 'channel_due'
    WHERE e.platform_no = :platform_no AND e.recipe = 'channel_refunded'
""")
_SETTLEMENTS = text("""
    SELECT b.request_no AS settlement_no,
        coalesce(sum(l.amount_fen) FILTER (WHERE a.purpose = 'channel_due'), 0)::bigint AS cleared_fen,
        coalesce(-sum(l.amount_fen) FILTER (WHERE a.purpose = 'bank_charges'), 0)::bigint AS fee_fen
    FROM bank_line b JOIN entry_line l ON l.entry_id = b.entry_id JOIN account a ON a.id = l.account_id
    WHERE b.platform_no = :platform_no AND b.kind = 'settlement' GROUP BY 1
""")
_DUE = text("""
    SELECT ref AS method, -balance_fen AS due_fen FROM account
    WHERE platform_no = :platform_no AND purpose = 'channel_due'
""")
_OPEN_DAY = text("SELECT day FROM platform_day WHERE platform_no = :platform_no")


async def channel_books(reader: Reader, platform_no: str) -> ChannelBooks:
    """What our books say of the channels of a platform, all of one moment.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    parameters = {"platform_no": platform_no}
    async with reader.snapshot() as connection:
        payments = (await connection.execute(_PAYMENTS, {**parameters, "booking_prefix": payment_booking_no("")})).all()
        refunds = (await connection.execute(_REFUNDS, parameters)).all()
        settlements = (await connection.execute(_SETTLEMENTS, parameters)).all()
        due = (await connection.execute(_DUE, parameters)).all()
        open_day: date = await connection.scalar(_OPEN_DAY, parameters)
    return ChannelBooks(
        payments={
            row.payment_no: BookedPayment(
                payment_no=row.payment_no,
                method=row.method,
                paid_fen=row.paid_fen,
                collection_no=row.collection_no or "",
                pay_in_no=row.pay_in_no or "",
                withdrawable_fen=row.withdrawable_fen,
                pending_day=_day(row.pending_day),
                order_waits_until=_day(row.settles_on),
            )
            for row in payments
        },
        refunds={
            row.refund_no: BookedRefund(
                refund_no=row.refund_no, payment_no=row.payment_no, method=row.method, amount_fen=row.amount_fen
            )
            for row in refunds
        },
        settlements={
            row.settlement_no: BookedSettlement(
                settlement_no=row.settlement_no, cleared_fen=row.cleared_fen, fee_fen=row.fee_fen
            )
            for row in settlements
        },
        due_fen={row.method: row.due_fen for row in due},
        open_day=open_day,
    )


def _day(text_: str | None) -> date | None:
    return None if text_ is None else date.fromisoformat(text_)
