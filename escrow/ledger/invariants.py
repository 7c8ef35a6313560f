"""What must hold in the books at every moment, in one place.

Each invariant is one query for the rows that break it, but for the hashes of consents. They run on one snapshot, so
they can be checked while others post. Run by the tests after every fault, and by `escrow verify`.
"""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg

from escrow.domain.money.accounts import WITHOUT_MINIMUM
from escrow.domain.orders.states import OrderStatus
from escrow.domain.requests import operation_hash
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.collection_evidence import COLLECTION_EVIDENCE
from escrow.ledger.decision_evidence import DECISION_EVIDENCE
from escrow.ledger.evidence import EVIDENCE, Invariant
from escrow.ledger.progress import OVERDUE_AFTER, late_rows

#: So many rows are named per invariant; the first ones suffice to find the cause.
_MOST_ROWS = 20

_ENDED = [f"order.{status}" for status in OrderStatus if status.is_final] + [
    f"withdrawal.{status}" for status in WithdrawalStatus if status.is_final
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: str
    sentence: str
    row: dict[str, Any]

    def __str__(self) -> str:
        """One line that names the row."""
        facts = ", ".join(f"{name}={value}" for name, value in self.row.items())
        return f"{self.invariant}: {self.sentence} Broken by {facts}."


# Every query takes the platform as $1, NULL for all of them.
_INVARIANTS = (
    Invariant(
        "entry_balanced",
        "The lines of an entry sum to zero, and there are at least two.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.request_no, coalesce(sum(l.amount_fen), 0) AS sum_fen
        FROM entry e LEFT JOIN entry_line l ON l.entry_id = e.id
        WHERE $1::text IS NULL OR e.platform_no = $1
        GROUP BY e.id HAVING count(l.entry_id) < 2 OR sum(l.amount_fen) <> 0
        """,
    ),
    Invariant(
        "platform_balanced",
        "The balances of a platform sum to zero: sub-accounts are what the bank and the channels hold for it.",
        """
        SELECT a.platform_no, sum(a.balance_fen) AS sum_fen FROM account a
        WHERE $1::text IS NULL OR a.platform_no = $1
        GROUP BY a.platform_no HAVING sum(a.balance_fen) <> 0
        """,
    ),
    Invariant(
        "balance_is_lines",
        "A balance is the sum of its account's lines, and its version their number.",
        """
        SELECT a.platform_no, a.id AS account_id, a.member_no, a.purpose, a.ref, a.balance_fen, a.version,
            coalesce(sum(l.amount_fen), 0) AS lines_fen, count(l.account_id) AS lines
        FROM account a LEFT JOIN entry_line l ON l.account_id = a.id
        WHERE $1::text IS NULL OR a.platform_no = $1
        GROUP BY a.id HAVING a.balance_fen <> coalesce(sum(l.amount_fen), 0) OR a.version <> count(l.account_id)
        """,
    ),
    Invariant(
        "chain",
        "Line after line an account's versions run 1, 2, 3, its balance-after by the amount, its days never back.",
        """
        SELECT c.platform_no, c.account_id, c.version, c.entry_id, c.amount_fen, c.balance_after_fen, c.before_fen
        FROM (SELECT a.platform_no, l.*,
                lag(l.version, 1, 0::bigint) OVER w AS version_before,
                lag(l.balance_after_fen, 1, 0::bigint) OVER w AS before_fen,
                lag(l.accounting_day) OVER w AS day_before
              FROM entry_line l JOIN account a ON a.id = l.account_id
              WHERE $1::text IS NULL OR a.platform_no = $1
              WINDOW w AS (PARTITION BY l.account_id ORDER BY l.version)) c
        WHERE c.version <> c.version_before + 1 OR c.balance_after_fen <> c.before_fen + c.amount_fen
            OR c.accounting_day < c.day_before
        """,
    ),
    Invariant(
        "minimum",
        "No account is, or ever was after a line, below its minimum: zero, but for what bank and channels hold.",
        """
        SELECT a.platform_no, a.id AS account_id, a.purpose, a.balance_fen, min(l.balance_after_fen) AS lowest_fen
        FROM account a LEFT JOIN entry_line l ON l.account_id = a.id
        WHERE $1::text IS NULL OR a.platform_no = $1
        GROUP BY a.id HAVING a.balance_fen < a.min_balance_fen OR min(l.balance_after_fen) < a.min_balance_fen
            OR a.min_balance_fen IS DISTINCT FROM CASE WHEN a.purpose <> ALL ($2) THEN 0 END
        """,
        parameters=(sorted(WITHOUT_MINIMUM),),
    ),
    Invariant(
        "request_once",
        "Every entry belongs to exactly one request number, and every receipt to an entry that is there, on its day.",
        """
        SELECT coalesce(e.platform_no, r.platform_no) AS platform_no, e.id AS entry_id,
            coalesce(e.request_no, r.request_no) AS request_no, r.entry_id AS receipt_entry_id
        FROM entry e FULL JOIN (SELECT * FROM request WHERE entry_id IS NOT NULL) r
            ON r.platform_no = e.platform_no AND r.request_no = e.request_no AND r.entry_id = e.id
        WHERE (e.id IS NULL OR r.entry_id IS NULL OR r.accounting_day <> e.accounting_day)
            AND ($1::text IS NULL OR coalesce(e.platform_no, r.platform_no) = $1)
        """,
    ),
    Invariant(
        "recipe_allowed",
        "Every line does what its recipe allows, on an account of its own platform.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.recipe, a.purpose, l.amount_fen
        FROM entry e JOIN entry_line l ON l.entry_id = e.id JOIN account a ON a.id = l.account_id
        LEFT JOIN recipe_rule r ON r.recipe = e.recipe AND r.purpose = a.purpose
            AND r.direction = CASE WHEN l.amount_fen > 0 THEN '+' ELSE '-' END
        WHERE ($1::text IS NULL OR e.platform_no = $1)
            AND (r.recipe IS NULL OR a.platform_no <> e.platform_no OR l.accounting_day <> e.accounting_day)
        """,
    ),
    Invariant(
        "basis_taken",
        "Every entry whose recipe needs a basis has used one up.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.request_no, e.recipe
        FROM entry e JOIN recipe r ON r.recipe = e.recipe
        LEFT JOIN basis_use u ON u.platform_no = e.platform_no AND u.request_no = e.request_no
        WHERE ($1::text IS NULL OR e.platform_no = $1) AND 'none' <> ALL (r.basis_kinds) AND u.reference IS NULL
        """,
    ),
    Invariant(
        "open_day",
        "Nothing is dated after the open accounting day of its platform.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.accounting_day, d.day AS open_day
        FROM entry e LEFT JOIN platform_day d ON d.platform_no = e.platform_no
        WHERE ($1::text IS NULL OR e.platform_no = $1) AND (d.day IS NULL OR e.accounting_day > d.day)
        """,
    ),
    Invariant(
        "custody_is_bank_lines",
        "The custody account moved by exactly the bank lines that entries have posted.",
        """
        SELECT c.platform_no, c.custody_fen, coalesce(b.posted_fen, 0) AS posted_bank_lines_fen
        FROM (SELECT platform_no, -sum(balance_fen) AS custody_fen FROM account WHERE purpose = 'custody' GROUP BY 1) c
        LEFT JOIN (SELECT platform_no, sum(amount_fen) AS posted_fen FROM bank_line WHERE entry_id IS NOT NULL
            GROUP BY 1) b ON b.platform_no = c.platform_no
        WHERE ($1::text IS NULL OR c.platform_no = $1) AND c.custody_fen <> coalesce(b.posted_fen, 0)
        """,
    ),
    Invariant(
        "bank_line_posted_once",
        "A posted bank line and its entry name each other.",
        """
        SELECT coalesce(b.platform_no, e.platform_no) AS platform_no, b.bank_serial_no, b.entry_id,
            e.bank_serial_no AS serial_no_of_entry
        FROM (SELECT * FROM bank_line WHERE entry_id IS NOT NULL) b
        FULL JOIN (SELECT * FROM entry WHERE bank_serial_no <> '') e
            ON e.platform_no = b.platform_no AND e.bank_serial_no = b.bank_serial_no AND e.id = b.entry_id
        WHERE (b.entry_id IS NULL OR e.id IS NULL)
            AND ($1::text IS NULL OR coalesce(b.platform_no, e.platform_no) = $1)
        """,
    ),
    Invariant(
        "events_numbered",
        "An object has one event per change, numbered from 1 to its own sequence number without a gap.",
        """
        SELECT coalesce(o.platform_no, v.platform_no) AS platform_no, coalesce(o.kind, v.kind) AS kind,
            coalesce(o.object_no, v.object_no) AS object_no, o.sequence_no, v.events, v.last_no
        FROM business_object o
        FULL JOIN (SELECT platform_no, kind, object_no, count(*) AS events, min(sequence_no) AS first_no,
                max(sequence_no) AS last_no FROM event GROUP BY 1, 2, 3) v USING (platform_no, kind, object_no)
        WHERE ($1::text IS NULL OR coalesce(o.platform_no, v.platform_no) = $1)
            AND (o.sequence_no IS NULL OR v.events IS NULL
                 OR v.events <> o.sequence_no OR v.last_no <> o.sequence_no OR v.first_no <> 1)
        """,
    ),
    Invariant(
        "order_escrow",
        "An order's escrow holds what was paid less what was released, taken as commission and refunded.",
        """
        SELECT o.platform_no, o.object_no AS order_no, o.status, o.expected_fen, coalesce(a.escrow_fen, 0) AS escrow_fen
        FROM (SELECT platform_no, object_no, status, (body ->> 'paid_fen')::bigint
                - coalesce((body ->> 'released_fen')::bigint, 0) - coalesce((body ->> 'commission_fen')::bigint, 0)
                - coalesce((body ->> 'refunded_fen')::bigint, 0) AS expected_fen
              FROM business_object WHERE kind = 'order' AND body ? 'paid_fen') o
        LEFT JOIN (SELECT platform_no, ref, sum(balance_fen) AS escrow_fen FROM account WHERE purpose = 'escrow'
            GROUP BY 1, 2) a ON a.platform_no = o.platform_no AND a.ref = o.object_no
        WHERE ($1::text IS NULL OR o.platform_no = $1) AND o.expected_fen <> coalesce(a.escrow_fen, 0)
        """,
    ),
    Invariant(
        "ended_holds_nothing",
        "An order or withdrawal that has ended holds no money: its escrow or transit account is back at zero.",
        """
        SELECT o.platform_no, o.kind, o.object_no, o.status, a.balance_fen
        FROM business_object o JOIN account a ON a.platform_no = o.platform_no AND a.ref = o.object_no
            AND a.purpose = CASE o.kind WHEN 'order' THEN 'escrow' WHEN 'withdrawal' THEN 'payout' END
        WHERE ($1::text IS NULL OR o.platform_no = $1) AND a.balance_fen <> 0
            AND o.kind || '.' || o.status = ANY ($2)
        """,
        parameters=(_ENDED,),
    ),
    Invariant(
        "unfinished_moves",
        "What is unfinished makes progress: whatever is late by ten minutes is on the list of attention.",
        late_rows(OVERDUE_AFTER, at_most=_MOST_ROWS),
    ),
    *EVIDENCE,
    *COLLECTION_EVIDENCE,
    *DECISION_EVIDENCE,
)

_CONSENT_UNALTERED = "consent_unaltered"

INVARIANT_NAMES = (*(invariant.name for invariant in _INVARIANTS), _CONSENT_UNALTERED)


async def check_invariants(connection: asyncpg.Connection, platform_no: str | None = None) -> list[Violation]:
    """Every row that breaks an invariant, at most 20 of each; empty when the books are sound.

    Args:
        connection: any connection that may read the books and is in no transaction.
        platform_no: one platform, or None for all.
    """
    violations: list[Violation] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL jit = off")  # compiling these queries costs more than running them
        for invariant in _INVARIANTS:
            query = f"SELECT * FROM ({invariant.breaking_rows}) broken LIMIT {_MOST_ROWS}"  # noqa: S608 - our own words
            rows = await connection.fetch(query, platform_no, *invariant.parameters)
            violations += [
                Violation(invariant=invariant.name, sentence=invariant.sentence, row=dict(row)) for row in rows
            ]
        violations += await _altered_consents(connection, platform_no)
    return violations


async def _altered_consents(connection: asyncpg.Connection, platform_no: str | None) -> list[Violation]:
    """Consents that no longer say what was consented to: the hash is of canonical JSON, which SQL cannot make."""
    query = """
        SELECT platform_no, consent_no, object_kind, object_no, operation, given_by, terms, operation_hash
        FROM consent WHERE $1::text IS NULL OR platform_no = $1
    """
    altered: list[Violation] = []
    async for row in connection.cursor(query, platform_no, prefetch=1000):
        given = operation_hash(
            platform_no=row["platform_no"],
            object_kind=row["object_kind"],
            object_no=row["object_no"],
            operation=row["operation"],
            by=row["given_by"],
            terms=json.loads(row["terms"]),
        )
        if given != row["operation_hash"]:
            sentence = "A consent is still to the operation whose hash was recorded with it."
            altered.append(Violation(invariant=_CONSENT_UNALTERED, sentence=sentence, row=dict(row)))
    return altered[:_MOST_ROWS]
