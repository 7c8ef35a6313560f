"""Invariants about what entries rest on: bases, bank lines, the contract's figures, and the guards themselves.

A table can be altered by whoever owns the database, past every guard. These queries compare what is written down
twice: an alteration is found unless every place of it was altered alike.
"""

from dataclasses import dataclass

from escrow.domain.money.recipes import RECIPES


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule as the query for the rows that break it; the platform is $1, NULL for all of them.

    `parameters` are $2 and further.
    """

    name: str
    sentence: str
    breaking_rows: str
    parameters: tuple[list[str], ...] = ()


_ALLOWED = [
    *(f"{name} {direction} {purpose}" for name, rule in RECIPES.items() for purpose, direction in rule.moves),
    *(f"{name} stands on {kind}" for name, rule in RECIPES.items() for kind in rule.basis_kinds),
]

#: Recipes whose money pays orders: from the owner's balance, or as a channel collected it.
_PAYS_ORDER = ["order_frozen", "order_paid_directly", "batch_frozen", "batch_paid_directly"]
#: Triggers of the migrations, by table.
_GUARDS = [
    *(f"{table}.append_only" for table in ("request", "entry", "entry_line", "event", "basis_use", "claim")),
    *(f"{table}.no_delete" for table in ("account", "business_object", "consent", "bank_line", "platform_day")),
    "consent.guard_consent",
    "entry.guard_entries",
    "entry_line.guard_lines",
    "platform_day.guard_day",
]

EVIDENCE = (
    Invariant(
        "bases_hold",
        "A used basis is of a kind that its recipe allows, is there, held then, and is about the object that changed.",
        """
        SELECT u.platform_no, u.request_no, u.kind AS basis, u.reference, e.recipe
        FROM basis_use u
        LEFT JOIN request r ON r.platform_no = u.platform_no AND r.request_no = u.request_no
        LEFT JOIN entry e ON e.id = r.entry_id
        LEFT JOIN recipe k ON k.recipe = e.recipe
        LEFT JOIN consent c ON u.kind = 'consent' AND c.platform_no = u.platform_no AND c.consent_no = u.reference
        LEFT JOIN bank_line b ON u.kind = 'bank_line' AND b.platform_no = u.platform_no
            AND b.bank_serial_no = u.reference
        LEFT JOIN request q ON u.kind = 'release' AND q.platform_no = u.platform_no AND q.request_no = u.reference
        WHERE ($1::text IS NULL OR u.platform_no = $1)
            AND (r.request_no IS NULL OR u.kind <> ALL (k.basis_kinds) OR NOT CASE u.kind
                WHEN 'bank_line' THEN coalesce(b.entry_id = e.id, false)
                WHEN 'release' THEN q.entry_id IS NOT NULL
                WHEN 'consent' THEN coalesce(c.voided_at IS NULL AND (c.expires_at > r.recorded_at OR c.asked), false)
                    AND EXISTS (SELECT FROM event v WHERE v.platform_no = u.platform_no AND v.kind = c.object_kind
                        AND v.object_no = c.object_no AND v.request_no = u.request_no)
                ELSE EXISTS (SELECT FROM event v WHERE v.platform_no = u.platform_no
                        AND v.kind = split_part(u.reference, '/', 1) AND v.object_no = split_part(u.reference, '/', 2)
                        AND v.request_no = u.request_no) END)
        """,
    ),
    Invariant(
        "bank_line_amount",
        "An entry moves custody by the amount of its own bank line, on its value date, for the withdrawal it names.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.bank_serial_no, b.amount_fen, m.custody_fen, e.effective_date,
            b.value_date, b.request_no AS bank_request_no, m.payout
        FROM entry e
        JOIN (SELECT l.entry_id, -coalesce(sum(l.amount_fen) FILTER (WHERE a.purpose = 'custody'), 0) AS custody_fen,
                max(a.ref) FILTER (WHERE a.purpose = 'payout') AS payout
              FROM entry_line l JOIN account a ON a.id = l.account_id GROUP BY 1) m ON m.entry_id = e.id
        LEFT JOIN bank_line b ON b.platform_no = e.platform_no AND b.bank_serial_no = e.bank_serial_no
        WHERE ($1::text IS NULL OR e.platform_no = $1) AND (m.custody_fen <> coalesce(b.amount_fen, 0)
            OR e.effective_date <> b.value_date
            OR b.kind = 'payout' AND NOT starts_with(b.request_no, e.platform_no || '/' || m.payout || ':'))
        """,
    ),
    Invariant(
        "order_figures",
        "An order's figures are those of its entries, and its commission is floor(rate × gross released).",
        """
        SELECT o.platform_no, o.object_no AS order_no,
            o.body -> 'paid_fen' AS paid_fen, m.paid_fen AS paid_by_lines_fen,
            o.body -> 'released_fen' AS released_fen, m.gross_fen - m.commission_fen AS released_by_lines_fen,
            o.body -> 'commission_fen' AS commission_fen, m.commission_fen AS commission_by_lines_fen,
            o.body -> 'refunded_fen' AS refunded_fen, m.refunded_fen AS refunded_by_lines_fen
        FROM business_object o
        JOIN (SELECT s.platform_no, s.ref, sum(s.amount_fen) FILTER (WHERE s.recipe = ANY ($2)) AS paid_fen,
                coalesce(-sum(s.amount_fen) FILTER (WHERE s.recipe = 'order_refunded'), 0) AS refunded_fen,
                coalesce(-sum(s.amount_fen) FILTER (WHERE s.recipe <> ALL ($2) AND s.recipe <> 'order_refunded'), 0)
                    AS gross_fen,
                coalesce(sum(s.commission_fen), 0) AS commission_fen
              FROM (SELECT a.platform_no, a.ref, e.recipe, l.amount_fen,
                        (SELECT sum(taken.amount_fen) FROM entry_line taken JOIN account f ON f.id = taken.account_id
                         WHERE taken.entry_id = e.id AND f.purpose = 'fees') AS commission_fen
                    FROM account a JOIN entry_line l ON l.account_id = a.id JOIN entry e ON e.id = l.entry_id
                    WHERE a.purpose = 'escrow') s
              GROUP BY 1, 2) m ON m.platform_no = o.platform_no AND m.ref = o.object_no
        WHERE o.kind = 'order' AND o.body ? 'paid_fen' AND ($1::text IS NULL OR o.platform_no = $1)
            AND ((o.body ->> 'paid_fen')::bigint <> m.paid_fen
                OR coalesce((o.body ->> 'released_fen')::bigint, 0) <> m.gross_fen - m.commission_fen
                OR coalesce((o.body ->> 'commission_fen')::bigint, 0) <> m.commission_fen
                OR coalesce((o.body ->> 'refunded_fen')::bigint, 0) <> m.refunded_fen
                OR m.commission_fen <> floor(
                    m.gross_fen::numeric * (o.body -> 'contract' ->> 'commission_basis_points')::numeric / 10000))
        """,
        parameters=(_PAYS_ORDER,),
    ),
    Invariant(
        "escrow_classes",
        "An order's funding legs are what its entries drew, by class, and cover what it holds.",
        """
        SELECT o.platform_no, o.object_no AS order_no, l.direct_fen, l.subsidy_fen, l.paid_fen, m.paid_directly_fen,
            m.of_subsidy_fen, m.paid_in_fen, m.held_fen, l.left_fen
        FROM business_object o
        JOIN LATERAL (
            SELECT coalesce(sum(x.amount_fen), 0) AS paid_fen,
                coalesce(sum(x.amount_fen - x.refunded_fen), 0) AS left_fen,
                coalesce(sum(x.amount_fen) FILTER (WHERE starts_with(x.source, 'direct:')), 0) AS direct_fen,
                coalesce(sum(x.amount_fen) FILTER (WHERE x.source = 'subsidy'), 0) AS subsidy_fen
            FROM jsonb_to_recordset(o.body -> 'funding') AS x(source text, amount_fen bigint, refunded_fen bigint)
        ) l ON true
        JOIN (SELECT s.platform_no, s.ref, sum(s.held_fen) AS held_fen, sum(s.paid_in_fen) AS paid_in_fen,
                sum(s.paid_in_fen) FILTER (WHERE s.takes = 'channel_due') AS paid_directly_fen,
                sum(s.paid_in_fen) FILTER (WHERE s.takes = 'subsidy') AS of_subsidy_fen
              FROM (SELECT a.platform_no, a.ref, l.amount_fen AS held_fen, greatest(l.amount_fen, 0) AS paid_in_fen,
                        (SELECT max(f.purpose) FROM entry_line d JOIN account f ON f.id = d.account_id
                         WHERE d.entry_id = l.entry_id AND d.amount_fen < 0
                             AND f.purpose IN ('channel_due', 'subsidy')) AS takes
                    FROM account a JOIN entry_line l ON l.account_id = a.id WHERE a.purpose = 'escrow') s
              GROUP BY 1, 2) m ON m.platform_no = o.platform_no AND m.ref = o.object_no
        WHERE o.kind = 'order' AND o.body ? 'funding' AND o.body ? 'paid_fen'
            AND ($1::text IS NULL OR o.platform_no = $1)
            AND (l.paid_fen <> m.paid_in_fen OR l.direct_fen <> coalesce(m.paid_directly_fen, 0)
                OR l.subsidy_fen <> coalesce(m.of_subsidy_fen, 0) OR l.left_fen < m.held_fen)
        """,
    ),
    Invariant(
        "held_for_somebody",
        "Money in escrow or in transit is attributed to an order or withdrawal that is there.",
        """
        SELECT a.platform_no, a.id AS account_id, a.member_no, a.purpose, a.ref, a.balance_fen
        FROM account a LEFT JOIN business_object o ON o.platform_no = a.platform_no AND o.object_no = a.ref
            AND o.kind = CASE a.purpose WHEN 'escrow' THEN 'order' ELSE 'withdrawal' END
        WHERE ($1::text IS NULL OR a.platform_no = $1) AND a.purpose IN ('escrow', 'payout') AND o.object_no IS NULL
        """,
    ),
    Invariant(
        "own_money",
        "What only changes its sub-account stays with its member; pending money matures after its day is closed.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.recipe, min(a.member_no) AS member_no, max(a.member_no) AS other_no,
            e.accounting_day, max(a.ref) FILTER (WHERE a.purpose = 'pending') AS pending_day
        FROM entry e JOIN entry_line l ON l.entry_id = e.id JOIN account a ON a.id = l.account_id
        WHERE ($1::text IS NULL OR e.platform_no = $1) AND e.recipe IN ('order_frozen', 'batch_frozen',
            'order_refunded', 'pending_matured', 'withdrawal_requested', 'withdrawal_returned_to_member')
            AND a.purpose <> 'refund'
        GROUP BY e.id HAVING min(a.member_no) <> max(a.member_no)
            OR (e.recipe = 'pending_matured'
                AND max(a.ref) FILTER (WHERE a.purpose = 'pending') >= to_char(e.accounting_day, 'YYYY-MM-DD'))
        """,
    ),
    Invariant(
        "business_model",
        "A marketplace's orders pay their contractors less commission, a self-operated platform's pay itself in full.",
        """
        SELECT e.platform_no, e.id AS entry_id, e.recipe, o.object_no AS order_no, m.to_platform_fen, m.commission_fen,
            c.document ->> 'business_model' AS model
        FROM entry e
        JOIN (SELECT l.entry_id, max(a.ref) FILTER (WHERE a.purpose = 'escrow' AND l.amount_fen < 0) AS order_no,
                sum(l.amount_fen) FILTER (WHERE a.purpose = 'own' OR a.purpose = 'pending' AND a.member_no = '')
                    AS to_platform_fen,
                sum(l.amount_fen) FILTER (WHERE a.purpose = 'fees') AS commission_fen
              FROM entry_line l JOIN account a ON a.id = l.account_id GROUP BY 1) m ON m.entry_id = e.id
        JOIN business_object o ON o.platform_no = e.platform_no AND o.kind = 'order' AND o.object_no = m.order_no
        JOIN platform_config c ON c.platform_no = o.platform_no
            AND c.version = (o.body -> 'contract' ->> 'config_version')::int
        WHERE e.recipe IN ('deposit_released', 'milestone_released', 'retention_released')
            AND ($1::text IS NULL OR e.platform_no = $1)
            AND CASE c.document ->> 'business_model' WHEN 'marketplace' THEN m.to_platform_fen IS NOT NULL
                ELSE m.to_platform_fen IS NULL OR m.commission_fen IS NOT NULL END
        """,
    ),
    Invariant(
        "refund_to_source",
        "No more of an order goes back to a bucket than was drawn from it.",
        """
        SELECT s.platform_no, s.ref AS order_no, b.bucket, sum(b.amount_fen) AS too_much_fen
        FROM account s JOIN entry_line held ON held.account_id = s.id JOIN entry e ON e.id = held.entry_id
        CROSS JOIN LATERAL (
            SELECT a.member_no || '/' || a.purpose || ':' || a.ref AS bucket, l.amount_fen
            FROM entry_line l JOIN account a ON a.id = l.account_id
            WHERE l.entry_id = e.id AND a.id <> s.id AND e.recipe IN ('order_frozen', 'order_refunded')
            UNION ALL
            SELECT '/refund:' || split_part(e.request_no, ':channel-payment:', 2), -held.amount_fen
            WHERE e.recipe IN ('order_paid_directly', 'batch_paid_directly')
            UNION ALL
            SELECT s.member_no || '/' || f.source || CASE f.source WHEN 'withdrawable' THEN ':' ELSE '' END,
                -f.amount_fen
            FROM event v
            CROSS JOIN LATERAL jsonb_to_recordset(v.body -> 'funding') AS f(source text, amount_fen bigint)
            WHERE e.recipe = 'batch_frozen' AND v.platform_no = e.platform_no AND v.kind = 'order'
                AND v.object_no = s.ref AND v.request_no = e.request_no) b
        WHERE ($1::text IS NULL OR s.platform_no = $1) AND s.purpose = 'escrow'
        GROUP BY s.platform_no, s.ref, b.bucket HAVING sum(b.amount_fen) > 0
        """,
    ),
    Invariant(
        "batch_legs",
        "What a batch drew from a bucket is what its orders say was drawn for them.",
        """
        SELECT coalesce(drawn.platform_no, told.platform_no) AS platform_no, entry_id, source,
            drawn.fen AS drawn_fen, told.fen AS told_fen
        FROM (SELECT e.platform_no, e.id AS entry_id,
                a.purpose || CASE WHEN a.ref = '' THEN '' ELSE ':' || a.ref END AS source, -l.amount_fen AS fen
              FROM entry e JOIN entry_line l ON l.entry_id = e.id JOIN account a ON a.id = l.account_id
              WHERE e.recipe = 'batch_frozen' AND l.amount_fen < 0) drawn
        FULL JOIN (SELECT e.platform_no, e.id AS entry_id, f.source, sum(f.amount_fen) AS fen
              FROM entry e JOIN event v ON v.platform_no = e.platform_no AND v.request_no = e.request_no
              CROSS JOIN LATERAL jsonb_to_recordset(v.body -> 'funding') AS f(source text, amount_fen bigint)
              WHERE e.recipe = 'batch_frozen' AND v.kind = 'order'
              GROUP BY e.id, f.source) told USING (entry_id, source)
        WHERE ($1::text IS NULL OR coalesce(drawn.platform_no, told.platform_no) = $1)
            AND drawn.fen IS DISTINCT FROM told.fen
        """,
    ),
    Invariant(
        "body_is_events",
        "An object's document and status are what its events say, one after the other.",
        """
        SELECT o.platform_no, o.kind, o.object_no, o.status, v.status AS status_by_events
        FROM business_object o
        JOIN (SELECT platform_no, kind, object_no, (array_agg(status ORDER BY sequence_no DESC))[1] AS status
              FROM event GROUP BY 1, 2, 3) v USING (platform_no, kind, object_no)
        LEFT JOIN (SELECT w.platform_no, w.kind, w.object_no, jsonb_object_agg(w.key, w.value) AS body
              FROM (SELECT DISTINCT ON (n.platform_no, n.kind, n.object_no, x.key)
                        n.platform_no, n.kind, n.object_no, x.key, x.value
                    FROM event n CROSS JOIN LATERAL jsonb_each(n.body) x
                    WHERE $1::text IS NULL OR n.platform_no = $1
                    ORDER BY n.platform_no, n.kind, n.object_no, x.key, n.sequence_no DESC) w
              GROUP BY 1, 2, 3) f USING (platform_no, kind, object_no)
        WHERE ($1::text IS NULL OR o.platform_no = $1)
            AND (o.status <> v.status OR o.body <> coalesce(f.body, '{}'))
        """,
    ),
    Invariant(
        "event_of_request",
        "Every event belongs to a request number that was taken.",
        """
        SELECT v.platform_no, v.kind, v.object_no, v.sequence_no, v.request_no
        FROM event v LEFT JOIN request r ON r.platform_no = v.platform_no AND r.request_no = v.request_no
        WHERE ($1::text IS NULL OR v.platform_no = $1) AND r.request_no IS NULL
        """,
    ),
    Invariant(
        "allow_list",
        "The database allows exactly what the recipes of the program say.",
        """
        SELECT d.platform_no, coalesce(stored.rule, said.rule) AS rule, stored.rule IS NOT NULL AS in_database
        FROM (SELECT recipe || ' ' || direction || ' ' || purpose AS rule FROM recipe_rule
              UNION ALL SELECT recipe || ' stands on ' || unnest(basis_kinds) FROM recipe) stored
        FULL JOIN unnest($2::text[]) AS said(rule) ON said.rule = stored.rule
        CROSS JOIN platform_day d
        WHERE ($1::text IS NULL OR d.platform_no = $1) AND (stored.rule IS NULL OR said.rule IS NULL)
        """,
        parameters=(_ALLOWED,),
    ),
    Invariant(
        "guards_on",
        "Every guard of the database is there and on.",
        """
        SELECT d.platform_no, named.guard
        FROM unnest($2::text[]) AS named(guard)
        LEFT JOIN pg_trigger t ON t.tgenabled IN ('O', 'A') AND t.tgname = split_part(named.guard, '.', 2)
            AND t.tgrelid = to_regclass(split_part(named.guard, '.', 1))
        CROSS JOIN platform_day d
        WHERE ($1::text IS NULL OR d.platform_no = $1) AND t.oid IS NULL
        """,
        parameters=(_GUARDS,),
    ),
)
