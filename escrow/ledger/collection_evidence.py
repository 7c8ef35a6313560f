"""Invariants of money that channels collect, settle and give back, of what waits in suspense, and of micro-deposits.

Each compares an entry with the other place where the same fact is written: the payment's own number, the consent, the
object, the bank's line, or what the channel said when it settled.
"""

from escrow.domain.members.verification_rules import MICRO_DEPOSIT_MAX_FEN
from escrow.ledger.evidence import Invariant

#: Recipes that book what a channel took.
_COLLECTS = ["collection_credited", "collection_suspended", "order_paid_directly", "batch_paid_directly"]
#: Which recipes may post a line of which kind.
_LINE_KINDS = [
    *(f"inbound {recipe}" for recipe in ("top_up_credited", "credit_suspended", "own_credited")),
    "return credit_suspended",
    "payout withdrawal_paid",
    "charge bank_charge_booked",
    "settlement channel_settled",
    "micro_deposit micro_deposit_sent",
    "micro_deposit_return micro_deposit_returned",
]
#: Payments as they are booked: by their number, with the channel that took them, and who paid an order so.
_PAYMENTS = """
    SELECT e.platform_no, e.id AS entry_id, split_part(e.request_no, ':channel-payment:', 2) AS payment_no,
        max(a.ref) FILTER (WHERE a.purpose = 'channel_due') AS channel,
        -sum(l.amount_fen) FILTER (WHERE a.purpose = 'channel_due') AS paid_fen,
        max(a.member_no) FILTER (WHERE a.purpose = 'escrow') AS owner_no
    FROM entry e JOIN entry_line l ON l.entry_id = e.id JOIN account a ON a.id = l.account_id
    WHERE e.recipe IN ('collection_credited', 'collection_suspended', 'order_paid_directly', 'batch_paid_directly')
    GROUP BY e.id
"""

COLLECTION_EVIDENCE = (
    Invariant(
        "payment_number",
        "What a channel took is booked under its payment's own number, and what of it waits, waits under that number.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.request_no, e.recipe, w.ref AS suspense
        FROM entry e
        LEFT JOIN (SELECT l.entry_id, a.ref FROM entry_line l JOIN account a ON a.id = l.account_id
            WHERE a.purpose = 'suspense') w ON w.entry_id = e.id AND e.recipe = ANY ($2)
        WHERE ($1::text IS NULL OR e.platform_no = $1)
            AND (e.recipe = ANY ($2) <> starts_with(e.request_no, ':channel-payment:')
                OR w.ref <> split_part(e.request_no, ':channel-payment:', 2))
        """,
        parameters=(_COLLECTS,),
    ),
    Invariant(
        "credited_as_consented",
        "Money that a channel took, or that is paid at once, moves for the member that consented, as much as it said.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.recipe, c.consent_no, c.given_by, c.terms, m.member_no, m.amount_fen
        FROM entry e
        JOIN (SELECT l.entry_id, max(a.member_no) AS member_no, abs(sum(l.amount_fen)) AS amount_fen
              FROM entry_line l JOIN account a ON a.id = l.account_id JOIN entry e ON e.id = l.entry_id
              WHERE a.purpose IN ('pending', 'withdrawable', 'escrow')
                  AND (e.recipe IN ('collection_credited', 'order_paid_directly', 'batch_paid_directly')
                          AND l.amount_fen > 0
                      OR e.recipe IN ('payment_made', 'batch_frozen') AND l.amount_fen < 0)
              GROUP BY 1) m ON m.entry_id = e.id
        LEFT JOIN basis_use u ON u.platform_no = e.platform_no AND u.request_no = e.request_no AND u.kind = 'consent'
        LEFT JOIN consent c ON c.platform_no = u.platform_no AND c.consent_no = u.reference
        WHERE ($1::text IS NULL OR e.platform_no = $1) AND (c.given_by IS DISTINCT FROM m.member_no
            OR c.object_kind IN ('pay_in', 'order', 'payment')
                AND (c.terms ->> 'amount_fen')::bigint IS DISTINCT FROM m.amount_fen
            OR e.recipe = 'batch_frozen' AND (c.terms ->> 'total_fen')::bigint IS DISTINCT FROM m.amount_fen)
        """,
    ),
    Invariant(
        "channel_gives_back",
        "No more of a payment goes back, and through no other channel, than that channel took.",
        f"""
        SELECT r.platform_no, r.payment_no, r.channel, r.given_back_fen, p.channel AS taken_by, p.paid_fen
        FROM (SELECT h.platform_no, h.ref AS payment_no, c.ref AS channel, -sum(held.amount_fen) AS given_back_fen
              FROM entry e
              JOIN entry_line held ON held.entry_id = e.id
              JOIN account h ON h.id = held.account_id AND h.purpose = 'refund'
              JOIN entry_line due ON due.entry_id = e.id
              JOIN account c ON c.id = due.account_id AND c.purpose = 'channel_due'
              WHERE e.recipe = 'channel_refunded' GROUP BY 1, 2, 3) r
        LEFT JOIN ({_PAYMENTS}) p ON p.platform_no = r.platform_no AND p.payment_no = r.payment_no
        WHERE ($1::text IS NULL OR r.platform_no = $1)
            AND (p.channel IS DISTINCT FROM r.channel OR r.given_back_fen > p.paid_fen)
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "held_to_go_back",
        "Money is held only to go back: what ends a return was held for it, of a payment that is there.",
        f"""
        SELECT a.platform_no, a.ref AS payment_no, abs(l.amount_fen) AS amount_fen, a.balance_fen
        FROM account a JOIN entry_line l ON l.account_id = a.id JOIN entry e ON e.id = l.entry_id
        LEFT JOIN ({_PAYMENTS}) p ON p.platform_no = a.platform_no AND p.payment_no = a.ref
        WHERE a.purpose = 'refund' AND ($1::text IS NULL OR a.platform_no = $1)
        GROUP BY a.id, abs(l.amount_fen)
        HAVING bool_or(p.payment_no IS NULL)
            OR count(*) FILTER (WHERE l.amount_fen < 0) > count(*) FILTER (WHERE l.amount_fen > 0)
            OR count(*) FILTER (WHERE e.recipe = 'suspense_return_failed')
                > count(*) FILTER (WHERE e.recipe = 'suspense_return_held')
            OR count(*) FILTER (WHERE e.recipe = 'refund_credited')
                > count(*) FILTER (WHERE e.recipe = 'order_refunded')
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "refund_to_owner",
        "What its channel does not give back is credited to the owner whose order the payment paid.",
        f"""
        SELECT e.platform_no, e.id AS entry_id, m.payment_no, m.member_no, p.owner_no
        FROM entry e
        JOIN (SELECT l.entry_id, max(a.ref) FILTER (WHERE a.purpose = 'refund') AS payment_no,
                max(a.member_no) AS member_no
              FROM entry_line l JOIN account a ON a.id = l.account_id GROUP BY 1) m ON m.entry_id = e.id
        LEFT JOIN ({_PAYMENTS}) p ON p.platform_no = e.platform_no AND p.payment_no = m.payment_no
        WHERE e.recipe = 'refund_credited' AND ($1::text IS NULL OR e.platform_no = $1)
            AND p.owner_no IS DISTINCT FROM m.member_no
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "suspense_explained",
        "Money in suspense is one bank line or channel payment that is there, and no more leaves than came in.",
        """
        SELECT a.platform_no, a.ref, a.balance_fen, s.*
        FROM account a
        LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE b.brings) AS brought,
                bool_and(b.is_named) FILTER (WHERE b.brings) AS is_named,
                coalesce(sum(b.amount_fen) FILTER (WHERE b.brings), 0) AS came_fen,
                coalesce(-sum(b.amount_fen) FILTER (WHERE b.recipe = 'suspense_assigned'), 0) AS assigned_fen,
                coalesce(sum(b.amount_fen) FILTER (WHERE b.recipe = 'assignment_reversed'), 0) AS reversed_fen,
                coalesce(-sum(b.amount_fen) FILTER (WHERE b.recipe = 'suspense_return_held'), 0) AS held_fen,
                coalesce(sum(b.amount_fen) FILTER (WHERE b.recipe = 'suspense_return_failed'), 0) AS failed_fen,
                coalesce(-sum(b.amount_fen) FILTER (WHERE starts_with(b.recipe, 'suspense_payout_')), 0) AS paid_out_fen
            FROM (SELECT e.recipe, l.amount_fen, e.recipe = 'credit_suspended' OR e.recipe = ANY ($2) AS brings,
                    a.ref IN (e.bank_serial_no, split_part(e.request_no, ':channel-payment:', 2)) AS is_named
                  FROM entry_line l JOIN entry e ON e.id = l.entry_id WHERE l.account_id = a.id) b) s ON true
        WHERE a.purpose = 'suspense' AND ($1::text IS NULL OR a.platform_no = $1)
            AND (s.brought <> 1 OR NOT s.is_named OR s.reversed_fen > s.assigned_fen OR s.failed_fen > s.held_fen
                OR s.paid_out_fen < 0
                OR s.came_fen - s.assigned_fen + s.reversed_fen - s.held_fen + s.failed_fen - s.paid_out_fen
                    <> a.balance_fen)
        """,
        parameters=(_COLLECTS,),
    ),
    Invariant(
        "suspense_sent_back",
        "Suspense money leaves for the return that names it, as its consent said, and comes back to where it was.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.recipe, m.return_no, m.credit_no, m.amount_fen, o.body, c.terms
        FROM entry e
        JOIN (SELECT l.entry_id, max(a.ref) FILTER (WHERE a.purpose = 'payout') AS return_no,
                max(a.ref) FILTER (WHERE a.purpose = 'suspense') AS credit_no, max(l.amount_fen) AS amount_fen
              FROM entry_line l JOIN account a ON a.id = l.account_id GROUP BY 1) m ON m.entry_id = e.id
        LEFT JOIN business_object o ON o.platform_no = e.platform_no AND o.kind = 'withdrawal'
            AND o.object_no = m.return_no
        LEFT JOIN basis_use u ON u.platform_no = e.platform_no AND u.kind = 'consent'
            AND u.request_no = m.return_no || ':hold'
        LEFT JOIN consent c ON c.platform_no = u.platform_no AND c.consent_no = u.reference
        WHERE e.recipe IN ('suspense_payout_requested', 'suspense_payout_failed')
            AND ($1::text IS NULL OR e.platform_no = $1)
            AND NOT coalesce(c.operation = 'return_suspense' AND c.object_no = m.return_no
                AND c.given_by IN ('platform', 'operators') AND o.body ->> 'credit_no' = m.credit_no
                AND c.terms ->> 'credit_no' = m.credit_no AND c.terms ->> 'principal_fen' = m.amount_fen::text, false)
        """,
    ),
    Invariant(
        "payout_back",
        "A payout that failed is back where just that was drawn from: with its member, the platform, or in suspense.",
        """
        SELECT p.platform_no, p.ref AS withdrawal_no, e.id AS entry_id, e.recipe, c.account_id, c.amount_fen
        FROM account p
        JOIN entry_line l ON l.account_id = p.id AND l.amount_fen < 0
        JOIN entry e ON e.id = l.entry_id AND e.recipe IN ('withdrawal_returned_to_member', 'suspense_payout_failed')
        JOIN entry_line c ON c.entry_id = e.id AND c.amount_fen > 0
        WHERE p.purpose = 'payout' AND ($1::text IS NULL OR p.platform_no = $1)
            AND NOT EXISTS (
                SELECT FROM entry_line held JOIN entry_line drawn ON drawn.entry_id = held.entry_id
                WHERE held.account_id = p.id AND drawn.account_id = c.account_id AND drawn.amount_fen = -c.amount_fen)
        """,
    ),
    Invariant(
        "transfer_figures",
        "A payment, an assignment or a reversal moved just its amount, between those whom it names.",
        """
        SELECT o.platform_no, o.kind, o.object_no, o.body -> 'amount_fen' AS amount_fen, e.id AS entry_id, e.recipe,
            m.moved_fen, m.as_named
        FROM business_object o
        JOIN event v ON v.platform_no = o.platform_no AND v.kind = o.kind AND v.object_no = o.object_no
            AND v.sequence_no = 1
        LEFT JOIN business_object s ON o.kind = 'reversal' AND s.kind = 'assignment'
            AND s.platform_no = o.platform_no AND s.object_no = o.body ->> 'subject_no'
        LEFT JOIN request r ON r.platform_no = v.platform_no AND r.request_no = v.request_no
        LEFT JOIN entry e ON e.id = r.entry_id
        LEFT JOIN LATERAL (
            SELECT sum(l.amount_fen) FILTER (WHERE l.amount_fen > 0) AS moved_fen,
                bool_and(CASE
                    WHEN o.kind = 'assignment' AND l.amount_fen < 0 THEN a.ref = o.body ->> 'subject_no'
                    WHEN o.kind = 'reversal' AND l.amount_fen > 0 THEN a.ref = s.body ->> 'subject_no'
                    WHEN o.kind = 'payment' AND l.amount_fen > 0 THEN a.member_no = o.body ->> 'subject_no'
                    ELSE a.member_no = o.body ->> 'member_no' END) AS as_named
            FROM entry_line l JOIN account a ON a.id = l.account_id WHERE l.entry_id = e.id) m ON true
        WHERE o.kind IN ('payment', 'assignment', 'reversal') AND o.status = 'done'
            AND ($1::text IS NULL OR o.platform_no = $1)
            AND (e.recipe IS DISTINCT FROM CASE o.kind WHEN 'payment' THEN 'payment_made'
                    WHEN 'assignment' THEN 'suspense_assigned' ELSE 'assignment_reversed' END
                OR m.moved_fen IS DISTINCT FROM (o.body ->> 'amount_fen')::bigint OR m.as_named IS NOT TRUE)
        """,
    ),
    Invariant(
        "reversals",
        "What of an assignment was taken back is the sum of its reversals, and no more than was assigned.",
        """
        SELECT o.platform_no, o.object_no AS assignment_no, o.body -> 'amount_fen' AS amount_fen,
            o.body -> 'reversed_fen' AS reversed_fen, r.reversals_fen
        FROM business_object o
        LEFT JOIN (SELECT platform_no, body ->> 'subject_no' AS assignment_no,
                sum((body ->> 'amount_fen')::bigint) AS reversals_fen
              FROM business_object WHERE kind = 'reversal' AND status = 'done' GROUP BY 1, 2) r
            ON r.platform_no = o.platform_no AND r.assignment_no = o.object_no
        WHERE o.kind = 'assignment' AND o.status = 'done' AND ($1::text IS NULL OR o.platform_no = $1)
            AND ((o.body ->> 'reversed_fen')::bigint IS DISTINCT FROM coalesce(r.reversals_fen, 0)
                OR (o.body ->> 'reversed_fen')::bigint > (o.body ->> 'amount_fen')::bigint)
        """,
    ),
    Invariant(
        "no_sooner",
        "Pending money that changes hands becomes withdrawable no sooner: the platform's own money counts as that.",
        """
        SELECT e.platform_no, e.id AS entry_id, a.member_no, a.ref AS day, sum(other.amount_fen) AS sooner_fen
        FROM entry e
        JOIN entry_line l ON l.entry_id = e.id AND l.amount_fen > 0
        JOIN account a ON a.id = l.account_id
        JOIN entry_line other ON other.entry_id = e.id
        JOIN account b ON b.id = other.account_id AND b.ref <= a.ref
        WHERE e.recipe = 'payment_made' AND ($1::text IS NULL OR e.platform_no = $1)
        GROUP BY e.id, a.id HAVING sum(other.amount_fen) > 0
        """,
    ),
    Invariant(
        "settlement_figures",
        "A settlement clears what its channel says that it took less what it gave back; its fee is the platform's.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.bank_serial_no, o.body ->> 'method' AS channel,
            o.body -> 'paid_fen' AS paid_fen, o.body -> 'refunded_fen' AS refunded_fen, o.body -> 'fee_fen' AS fee_fen,
            m.channel AS channel_by_lines, m.cleared_fen, m.fee_fen AS fee_by_lines_fen, g.amount_fen AS charge_fen
        FROM entry e
        JOIN (SELECT l.entry_id, max(a.ref) FILTER (WHERE a.purpose = 'channel_due') AS channel,
                coalesce(sum(l.amount_fen) FILTER (WHERE a.purpose = 'channel_due'), 0) AS cleared_fen,
                coalesce(-sum(l.amount_fen) FILTER (WHERE a.purpose = 'bank_charges'), 0) AS fee_fen
              FROM entry_line l JOIN account a ON a.id = l.account_id GROUP BY 1) m ON m.entry_id = e.id
        LEFT JOIN business_object o ON o.platform_no = e.platform_no AND o.kind = 'settlement'
            AND o.object_no = e.bank_serial_no
        LEFT JOIN bank_line b ON b.platform_no = e.platform_no AND b.bank_serial_no = e.bank_serial_no
        LEFT JOIN bank_line g ON g.platform_no = b.platform_no AND g.request_no = b.request_no AND g.kind = 'charge'
        WHERE e.recipe = 'channel_settled' AND ($1::text IS NULL OR e.platform_no = $1)
            AND (o.body ->> 'settlement_no' IS DISTINCT FROM b.request_no
                OR m.cleared_fen IS DISTINCT FROM
                    (o.body ->> 'paid_fen')::bigint - (o.body ->> 'refunded_fen')::bigint
                OR m.channel <> o.body ->> 'method'
                OR CASE WHEN (o.body ->> 'net_of_fees')::boolean THEN m.fee_fen <> (o.body ->> 'fee_fen')::bigint
                    ELSE m.fee_fen <> 0 OR -g.amount_fen <> (o.body ->> 'fee_fen')::bigint END)
        """,
    ),
    Invariant(
        "line_kind",
        "A bank line is posted by a recipe of its kind.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.recipe, b.bank_serial_no, b.kind
        FROM entry e JOIN bank_line b ON b.platform_no = e.platform_no AND b.bank_serial_no = e.bank_serial_no
        WHERE ($1::text IS NULL OR e.platform_no = $1) AND b.kind || ' ' || e.recipe <> ALL ($2)
        """,
        parameters=(_LINE_KINDS,),
    ),
    Invariant(
        "micro_deposits",
        "A micro-deposit was sent for a verification, once, is small, and comes back once and whole or not at all.",
        """
        SELECT b.platform_no, b.request_no, min(b.amount_fen) AS sent_fen, max(b.amount_fen) AS returned_fen, count(*)
        FROM entry e JOIN bank_line b ON b.platform_no = e.platform_no AND b.bank_serial_no = e.bank_serial_no
        LEFT JOIN verification_sending s ON s.platform_no = b.platform_no AND s.bank_request_no = b.request_no
        WHERE e.recipe IN ('micro_deposit_sent', 'micro_deposit_returned')
            AND ($1::text IS NULL OR e.platform_no = $1)
        GROUP BY 1, 2
        HAVING bool_or(s.bank_request_no IS NULL) OR count(*) FILTER (WHERE e.recipe = 'micro_deposit_sent') <> 1
            OR min(b.amount_fen) < -(($2::text[])[1])::bigint OR count(*) > 2
            OR (count(*) = 2 AND sum(b.amount_fen) <> 0)
        """,
        parameters=([str(MICRO_DEPOSIT_MAX_FEN)],),
    ),
    Invariant(
        "closed_member",
        "A member that is closed has no money, and none is on its way back to it.",
        f"""
        SELECT o.platform_no, o.object_no AS member_no, a.purpose, a.ref, a.balance_fen
        FROM business_object o
        JOIN (SELECT platform_no, member_no, purpose, ref, balance_fen FROM account
              UNION ALL
              SELECT h.platform_no, p.owner_no, h.purpose, h.ref, h.balance_fen
              FROM account h JOIN ({_PAYMENTS}) p ON p.platform_no = h.platform_no AND p.payment_no = h.ref
              WHERE h.purpose = 'refund') a
            ON a.platform_no = o.platform_no AND a.member_no = o.object_no AND a.balance_fen <> 0
        WHERE o.kind = 'member' AND o.status = 'closed' AND ($1::text IS NULL OR o.platform_no = $1)
        """,  # noqa: S608 - constants
    ),
)
