-- One accounting day of a large book: every member's order is paid on odd days and refunded on even ones, one fen each.
-- The accounts were opened with the balances and versions that they have after the last day, so each day only appends.
-- All guards are on: zero sums, allow-list, minimums, open day.
-- $1 platform, $2 number of the day from 1, $3 the day, $4 members, $5 first entry id of the day.
WITH moved AS (
    SELECT n, $5::bigint + n AS entry_id, 'M-' || n AS member_no, 'D-' || n AS order_no,
        'D-' || n || ':day:' || $2::int AS request_no,
        CASE WHEN $2::int % 2 = 1 THEN 'order_frozen' ELSE 'order_refunded' END AS recipe
    FROM generate_series(1::bigint, $4::bigint) n
), requests AS (
    INSERT INTO request (platform_no, request_no, content_hash, entry_id, accounting_day)
    SELECT $1, m.request_no, md5(m.request_no) || md5(m.order_no), m.entry_id, $3::date FROM moved m
), events AS (
    INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at, request_no)
    SELECT $1, 'order', m.order_no, $2::int, 'order.paid', 'awaiting_start',
        '{"paid_fen": 1, "attention": "", "step_due_at": "2026-12-24T00:00:00+08:00"}', $3::date + interval '4 hours',
        m.request_no
    FROM moved m
)
INSERT INTO entry (id, platform_no, request_no, recipe, accounting_day, effective_date, occurred_at)
SELECT m.entry_id, $1, m.request_no, m.recipe, $3::date, $3::date, $3::date + interval '4 hours' FROM moved m
