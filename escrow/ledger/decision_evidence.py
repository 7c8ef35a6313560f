"""Invariants of what the books keep of their decisions: answers, words that count as answered, limits of a day.

None of this is money, and each of it decides about money: a word that wrongly counts as answered is never carried out,
a counter that is too low lets more through than a platform allows.
"""

from escrow.domain.endings import FINAL_STATUSES
from escrow.ledger.evidence import Invariant

#: Kinds of objects through which money moves, quoted.
_MONEYS = ", ".join(f"'{kind}'" for kind in FINAL_STATUSES)

DECISION_EVIDENCE = (
    Invariant(
        "words_answered",
        "What was asked and counts as answered was refused, or carried out by a posting of its object just then.",
        """
        SELECT c.platform_no, c.consent_no, c.object_kind, c.object_no, c.operation, c.answered_at
        FROM consent c
        WHERE c.asked AND c.answered_at IS NOT NULL AND c.answered_at IS DISTINCT FROM c.voided_at
            AND ($1::text IS NULL OR c.platform_no = $1)
            AND NOT EXISTS (SELECT FROM event v WHERE v.platform_no = c.platform_no AND v.kind = c.object_kind
                AND v.object_no = c.object_no AND v.recorded_at = c.answered_at)
        """,
    ),
    Invariant(
        "answers_kept",
        "What a request about money is answered is the status that its posting led to, and what left escrow by it.",
        f"""
        SELECT r.platform_no, r.request_no, r.answer, m.out_fen, m.commission_fen
        FROM request r
        LEFT JOIN LATERAL (
            SELECT coalesce(-sum(l.amount_fen) FILTER (WHERE a.purpose = 'escrow' AND l.amount_fen < 0), 0) AS out_fen,
                coalesce(sum(l.amount_fen) FILTER (WHERE a.purpose = 'fees'), 0) AS commission_fen
            FROM entry_line l JOIN account a ON a.id = l.account_id WHERE l.entry_id = r.entry_id) m ON true
        JOIN LATERAL (
            SELECT array_agg(v.status) AS led_to FROM event v
            WHERE v.platform_no = r.platform_no AND v.request_no = r.request_no AND v.kind IN ({_MONEYS})) v
            ON v.led_to IS NOT NULL
        WHERE r.answer ?| ARRAY['status', 'order_status'] AND ($1::text IS NULL OR r.platform_no = $1)
            AND (coalesce(r.answer ->> 'order_status', r.answer ->> 'status') <> ALL (v.led_to)
                OR r.answer ? 'released_fen' AND (
                    (r.answer ->> 'commission_fen')::bigint <> m.commission_fen
                    OR (r.answer ->> 'released_fen')::bigint + (r.answer ->> 'commission_fen')::bigint
                        + (r.answer ->> 'refunded_fen')::bigint <> m.out_fen))
        """,  # noqa: S608 - our own words
    ),
    Invariant(
        "limits_counted",
        "What a member has used of a limit of a day is at least what the objects say that count on it.",
        """
        SELECT u.platform_no, u.name, c.amount_fen AS counted_fen, sum(u.used_fen) AS used_fen
        FROM (
            SELECT o.platform_no, concat_ws('/', o.kind, coalesce(o.body ->> 'member_no', ''), o.body ->> 'counted_on')
                AS name,
                (o.body ->> 'principal_fen')::bigint AS used_fen
            FROM business_object o
            WHERE o.kind = 'withdrawal' AND o.status <> 'failed' AND o.body ->> 'counted_on' <> ''
            UNION ALL
            SELECT o.platform_no,
                concat_ws('/', 'order', coalesce(o.body ->> 'payer_no', o.body ->> 'member_no'),
                    o.body ->> 'counted_on'),
                coalesce(o.body ->> 'total_fen', o.body ->> 'amount_fen')::bigint
            FROM business_object o WHERE o.kind IN ('pay_in', 'batch_payment') AND o.body ->> 'counted_on' <> '') u
        LEFT JOIN counter c ON c.platform_no = u.platform_no AND c.name = u.name
        WHERE $1::text IS NULL OR u.platform_no = $1
        GROUP BY u.platform_no, u.name, c.amount_fen HAVING sum(u.used_fen) > coalesce(c.amount_fen, 0)
        """,
    ),
)
