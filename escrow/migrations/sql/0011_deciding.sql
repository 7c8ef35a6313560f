-- Books that can decide. A decision is made on what was read, and posted only while that still stands: a posting names
-- the version of every object that it read or writes, and the accounting day; what differs is refused as `moved`, before
-- anything else is looked at, and whoever decides reads anew. The answer to a request is stored with it. What a party
-- says is recorded as asked before any process hears of it. A sum over several objects, such as what a member pays on a
-- day, is a counter with a maximum, checked like a balance.

ALTER TABLE request ADD COLUMN answer jsonb;

ALTER TABLE consent
    ADD COLUMN asked boolean NOT NULL DEFAULT false,
    ADD COLUMN answered_at timestamptz,
    ADD COLUMN config_version integer,
    ADD COLUMN note text NOT NULL DEFAULT '';
-- Not led by platform_no, as consent_object.
CREATE INDEX consent_asked ON consent (object_no, object_kind, platform_no) WHERE asked AND answered_at IS NULL;
-- A refusal leaves the number free: what was refused, and so voided without ever being used, may be said anew. What was
-- said in any other consent never changes.
CREATE FUNCTION guard_consent() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.voided_at IS NULL OR NOT OLD.asked OR OLD.method <> 'platform_key' OR EXISTS (
        SELECT FROM basis_use u
        WHERE u.platform_no = OLD.platform_no AND u.kind = 'consent' AND u.reference = OLD.consent_no)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'ES002',
            MESSAGE = format('what was said in consent %s is not changed: record another one', OLD.consent_no);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_consent BEFORE UPDATE OF
    content_hash, object_kind, object_no, operation, given_by, terms, operation_hash, method, text_version,
    remote_address, recorded_at, expires_at, asked, config_version, note ON consent
    FOR EACH ROW EXECUTE FUNCTION guard_consent();
GRANT UPDATE (
    content_hash, object_kind, object_no, operation, given_by, terms, operation_hash, text_version, remote_address,
    recorded_at, expires_at, answered_at, config_version, note
) ON consent TO escrow_app;

CREATE TABLE counter (
    platform_no text NOT NULL,
    name text NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen >= 0),
    PRIMARY KEY (platform_no, name)
) WITH (fillfactor = 80);
GRANT SELECT ON counter TO escrow_app;

-- The deadlines of stages were in the order's document alone; whoever looks for orders that are late finds them here.
INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
SELECT o.platform_no, 'order', o.object_no, format('M%s:work:%s', m ->> 'number', m ->> 'round'),
    (o.body ->> 'step_due_at')::timestamptz
FROM business_object o, jsonb_array_elements(o.body -> 'milestones') AS m
WHERE o.kind = 'order' AND o.status = 'in_progress' AND o.body ->> 'step_due_at' IS NOT NULL
    AND m ->> 'status' IN ('in_work', 'in_rectification')
ON CONFLICT DO NOTHING;

-- So were the moments at which owners are to be reminded, those at which a payment order without an answer is an
-- operator's to ask about, and those at which a collection expires.
INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
SELECT o.platform_no, 'order', o.object_no, format('M%s:reminder:%s', m ->> 'number', m ->> 'round'),
    (m ->> 'inspection_due_at')::timestamptz - (o.body #>> '{contract,periods,reminder_before_end}')::interval
FROM business_object o, jsonb_array_elements(o.body -> 'milestones') AS m
WHERE o.kind = 'order' AND m ->> 'status' = 'in_inspection' AND m ->> 'inspection_due_at' IS NOT NULL
UNION ALL
SELECT w.platform_no, 'withdrawal', w.object_no, 'due',
    (w.body #>> '{attempts,-1,sent_at}')::timestamptz + interval '24 hours'
FROM business_object w
WHERE w.kind = 'withdrawal' AND w.status NOT IN ('paid', 'failed', 'refused')
    AND w.body #>> '{attempts,-1,sent_at}' IS NOT NULL
UNION ALL
SELECT p.platform_no, 'pay_in', p.object_no, 'expiry', (p.body ->> 'expires_at')::timestamptz
FROM business_object p
WHERE p.kind = 'pay_in' AND p.status NOT IN ('paid', 'closed', 'failed') AND p.body ->> 'expires_at' IS NOT NULL
ON CONFLICT DO NOTHING;

-- What follows a step of an order stood in the books only when it had ended, or had begun: until then it was known to
-- processes alone, whose histories may be gone. What a channel is to give back of an order that was cancelled:
WITH let_go AS (
    SELECT o.platform_no, o.object_no, e.request_no, e.occurred_at, jsonb_build_object(
        'order_no', o.object_no, 'owner_no', o.body #> '{contract,owner_no}', 'amount_fen', l.amount_fen,
        'direct', o.body -> 'direct', 'reason', '') AS body
    FROM business_object o
    JOIN request r ON r.platform_no = o.platform_no AND r.request_no = o.object_no || ':refund'
    JOIN entry e ON e.id = r.entry_id
    JOIN entry_line l ON l.entry_id = e.id
    JOIN account a ON a.id = l.account_id AND a.purpose = 'refund'
    WHERE o.kind = 'order' AND jsonb_typeof(o.body -> 'direct') = 'object' AND NOT EXISTS (
        SELECT FROM business_object f
        WHERE f.platform_no = o.platform_no AND f.kind = 'refund' AND f.object_no = o.object_no)
), entered AS (
    INSERT INTO business_object (platform_no, kind, object_no, sequence_no, status, body, created_at, updated_at)
    SELECT g.platform_no, 'refund', g.object_no, 1, 'under_way', g.body, now(), now() FROM let_go g
)
INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at, request_no)
SELECT g.platform_no, 'refund', g.object_no, 1, 'refund.under_way', 'under_way', g.body, g.occurred_at, g.request_no
FROM let_go g;
-- And what an order withdraws by itself of a release.
WITH released AS (
    SELECT o.platform_no, e.request_no, e.occurred_at,
        format('%s:%s:withdrawal:1', o.object_no, split_part(e.request_no, ':', 2)) AS withdrawal_no,
        jsonb_build_object(
            'member_no', CASE WHEN (o.body #>> '{contract,payee_is_platform}')::boolean THEN ''
                ELSE o.body #>> '{contract,contractor_no}' END,
            'account_id', '', 'principal_fen', n.net_fen - (o.body #>> '{contract,withdrawal_fee_fen}')::bigint,
            'fee_fen', o.body #> '{contract,withdrawal_fee_fen}', 'order_no', o.object_no, 'credit_no', '',
            'released_as', e.request_no, 'config_version', o.body #> '{contract,config_version}',
            'attempts', '[]'::jsonb, 'route', '[]'::jsonb, 'opens_at', NULL, 'attention', '') AS body
    FROM business_object o
    JOIN event v ON v.platform_no = o.platform_no AND v.kind = 'order' AND v.object_no = o.object_no
        AND v.event_type IN ('order.deposit_released', 'order.milestone_released', 'order.retention_released')
    JOIN request r ON r.platform_no = v.platform_no AND r.request_no = v.request_no
    JOIN entry e ON e.id = r.entry_id
    CROSS JOIN LATERAL (
        SELECT sum(l.amount_fen)::bigint AS net_fen FROM entry_line l JOIN account a ON a.id = l.account_id
        WHERE l.entry_id = e.id AND a.purpose IN ('withdrawable', 'pending', 'own')) n
    WHERE o.kind = 'order' AND (o.body #>> '{contract,withdraw_automatically}')::boolean
        AND n.net_fen > (o.body #>> '{contract,withdrawal_fee_fen}')::bigint
), missing AS (
    SELECT * FROM released d WHERE NOT EXISTS (
        SELECT FROM business_object w
        WHERE w.platform_no = d.platform_no AND w.kind = 'withdrawal' AND w.object_no = d.withdrawal_no)
), entered AS (
    INSERT INTO business_object (platform_no, kind, object_no, sequence_no, status, body, created_at, updated_at)
    SELECT m.platform_no, 'withdrawal', m.withdrawal_no, 1, 'requested', m.body, now(), now() FROM missing m
)
INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at, request_no)
SELECT m.platform_no, 'withdrawal', m.withdrawal_no, 1, 'withdrawal.requested', 'requested', m.body, m.occurred_at,
    m.request_no
FROM missing m;

-- Of what a channel gives back of a top-up the document told the last attempt, and not how it ended; the entries do.
-- An attempt that never held anything has taken its number all the same.
WITH attempt AS (
    SELECT v.platform_no, v.object_no, v.request_no, split_part(v.request_no, ':return:', 2) AS part, e.occurred_at,
        v.body #>> '{returning,payment_no}' AS payment_no, (v.body #>> '{returning,amount_fen}')::bigint AS amount_fen,
        (SELECT done.recipe FROM request q JOIN entry done ON done.id = q.entry_id
         WHERE q.platform_no = v.platform_no AND q.request_no = regexp_replace(v.request_no, ':hold$', ':end')) AS ended
    FROM event v
    JOIN request r ON r.platform_no = v.platform_no AND r.request_no = v.request_no
    JOIN entry e ON e.id = r.entry_id
    WHERE v.kind = 'pay_in' AND v.event_type = 'pay_in.return_held'
), numbered AS (
    SELECT a.*, split_part(a.part, ':', 1)::int AS n, CASE
        WHEN a.ended IS NULL THEN 'held' WHEN a.ended = 'channel_refunded' THEN 'returned' ELSE 'failed' END AS outcome
    FROM attempt a
), named AS (
    SELECT p.platform_no, p.object_no, p.sequence_no + 1 AS sequence_no, p.status, last.request_no, jsonb_build_object(
        'returns', (
            SELECT jsonb_agg(jsonb_build_object(
                'number', every.n, 'payment_no', coalesce(a.payment_no, ''), 'amount_fen', coalesce(a.amount_fen, 0),
                'outcome', coalesce(a.outcome, 'failed'), 'held_at', a.occurred_at) ORDER BY every.n)
            FROM generate_series(1, last.n) AS every(n)
            LEFT JOIN numbered a ON a.platform_no = p.platform_no AND a.object_no = p.object_no AND a.n = every.n),
        'payments', (
            SELECT jsonb_agg(paid.item || jsonb_build_object('stays', EXISTS (
                SELECT FROM numbered a
                WHERE a.platform_no = p.platform_no AND a.object_no = p.object_no AND a.outcome = 'failed'
                    AND a.payment_no = paid.item ->> 'payment_no')) ORDER BY paid.nth)
            FROM jsonb_array_elements(p.body -> 'payments') WITH ORDINALITY AS paid(item, nth))) AS body
    FROM business_object p
    JOIN (SELECT DISTINCT ON (platform_no, object_no) * FROM numbered ORDER BY platform_no, object_no, n DESC) last
        ON last.platform_no = p.platform_no AND last.object_no = p.object_no
    WHERE p.kind = 'pay_in'
), changed AS (
    UPDATE business_object p
    SET sequence_no = d.sequence_no, body = p.body || d.body, updated_at = now()
    FROM named d WHERE p.platform_no = d.platform_no AND p.kind = 'pay_in' AND p.object_no = d.object_no
)
INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at, request_no)
SELECT d.platform_no, 'pay_in', d.object_no, d.sequence_no, 'pay_in.returns_listed', d.status, d.body, now(),
    d.request_no
FROM named d;

-- What was released can be released once, whatever asks for it.
INSERT INTO claim (platform_no, name, request_no)
SELECT e.platform_no, format('order/%s/%s/released', e.object_no, split_part(e.request_no, ':', 2)), e.request_no
FROM event e JOIN request r ON r.platform_no = e.platform_no AND r.request_no = e.request_no
WHERE e.kind = 'order' AND r.entry_id IS NOT NULL
    AND e.event_type IN ('order.deposit_released', 'order.milestone_released', 'order.retention_released')
ON CONFLICT DO NOTHING;

-- What members have used of their limits today counts on.
INSERT INTO counter (platform_no, name, amount_fen)
SELECT u.platform_no, format('%s/%s/%s', u.kind, u.member_no, u.day), sum(u.amount_fen)
FROM limit_use u LEFT JOIN business_object b
    ON b.platform_no = u.platform_no AND b.kind = u.kind AND b.object_no = u.object_no
WHERE coalesce(b.status, '') NOT IN ('closed_unpaid', 'refused', 'failed')
GROUP BY 1, 2;

-- A batch has further columns and lists:
--   postings  {…, answer|null, day|null}     the accounting day that was read, null for whichever is open
--   objects   {…, replaces}                  whether `body` is the whole document
--   stands_on {posting, kind, object_no, version}
--   counters  {posting, name, add_fen, maximum_fen|null, limit}    `limit` names the setting for who is refused
--   answered  {posting, consent_no}          commands that are answered by this, beside the consents that it uses up
-- Every transaction locks in the same order: day, request numbers, objects it writes, objects it read, claims, bases,
-- accounts by id, counters, deadlines.
CREATE FUNCTION require_unmoved(batch jsonb, platform_nos text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    kinds text[];
    object_nos text[];
    platforms text[];
    versions bigint[];
    moved record;
BEGIN
    SELECT array_agg(w.platform_no), array_agg(w.kind), array_agg(w.object_no), array_agg(w.sequence_no)
    INTO platforms, kinds, object_nos, versions
    FROM (SELECT b.platform_no, b.kind, b.object_no, b.sequence_no
          FROM jsonb_to_recordset(batch -> 'objects') AS g(platform_no text, kind text, object_no text)
          JOIN business_object b ON b.platform_no = g.platform_no AND b.kind = g.kind AND b.object_no = g.object_no
          ORDER BY b.platform_no, b.kind, b.object_no
          FOR NO KEY UPDATE OF b) w;
    IF batch -> 'stands_on' = '[]' THEN
        RETURN;
    END IF;
    SELECT s.kind, s.object_no INTO moved
    FROM jsonb_to_recordset(batch -> 'stands_on') AS s(posting int, kind text, object_no text, version bigint)
    LEFT JOIN unnest(platforms, kinds, object_nos, versions) AS w(platform_no, kind, object_no, version)
        ON w.platform_no = platform_nos[s.posting] AND w.kind = s.kind AND w.object_no = s.object_no
    LEFT JOIN LATERAL (
        SELECT b.sequence_no FROM business_object b
        WHERE w.version IS NULL
            AND b.platform_no = platform_nos[s.posting] AND b.kind = s.kind AND b.object_no = s.object_no
        FOR SHARE) r ON true
    WHERE coalesce(w.version, r.sequence_no, 0) <> s.version
    LIMIT 1;
    IF FOUND THEN
        PERFORM refuse('moved', format('The %s %s has changed since it was read.', moved.kind, moved.object_no),
            jsonb_build_object('kind', moved.kind, 'object_no', moved.object_no));
    END IF;
END $$;

CREATE FUNCTION use_counters(batch jsonb, platform_nos text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    full_one record;
BEGIN
    WITH given AS MATERIALIZED (
        SELECT platform_nos[c.posting] AS platform_no, c.name, sum(c.add_fen)::bigint AS add_fen,
            min(c.maximum_fen) AS maximum_fen, min(c."limit") AS "limit"
        FROM jsonb_to_recordset(batch -> 'counters')
            AS c(posting int, name text, add_fen bigint, maximum_fen bigint, "limit" text)
        GROUP BY 1, 2 ORDER BY 1, 2
    ), used AS (
        INSERT INTO counter AS c (platform_no, name, amount_fen)
        SELECT g.platform_no, g.name, greatest(g.add_fen, 0) FROM given g
        ON CONFLICT (platform_no, name) DO UPDATE SET amount_fen = greatest(c.amount_fen + (
            SELECT g.add_fen FROM given g WHERE g.platform_no = c.platform_no AND g.name = c.name), 0)
        RETURNING c.platform_no, c.name, c.amount_fen
    )
    SELECT g."limit", g.maximum_fen INTO full_one
    FROM used u JOIN given g ON g.platform_no = u.platform_no AND g.name = u.name
    WHERE g.add_fen > 0 AND u.amount_fen > g.maximum_fen
    ORDER BY u.name LIMIT 1;
    IF FOUND THEN
        PERFORM refuse('limit_exceeded', 'The amount is above a limit that the platform set.',
            jsonb_build_object('limit', full_one."limit", 'limit_fen', full_one.maximum_fen));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION post_changes(
    batch jsonb, platform_nos text[], request_nos text[], occurred_ats timestamptz[], nows timestamptz[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    kinds text[];
    object_nos text[];
    first_nos bigint[];
    existing int;
BEGIN
    WITH given AS MATERIALIZED (
        SELECT *, nows[array_position(platform_nos, o.platform_no)] AS moment
        FROM jsonb_to_recordset(batch -> 'objects')
            AS o(n int, platform_no text, kind text, object_no text, status text, body jsonb, replaces boolean,
                changes bigint, new_nth int)
        ORDER BY o.platform_no, o.kind, o.object_no
    ), updated AS (
        UPDATE business_object b
        SET sequence_no = b.sequence_no + g.changes, status = g.status, updated_at = g.moment,
            body = CASE WHEN g.replaces THEN g.body ELSE b.body || g.body END
        FROM given g
        WHERE b.platform_no = g.platform_no AND b.kind = g.kind AND b.object_no = g.object_no
        RETURNING b.platform_no, b.kind, b.object_no, b.sequence_no
    ), inserted AS (
        INSERT INTO business_object AS b
            (platform_no, kind, object_no, sequence_no, status, body, created_at, updated_at)
        SELECT g.platform_no, g.kind, g.object_no, g.changes, g.status, g.body, g.moment, g.moment FROM given g
        WHERE NOT EXISTS (SELECT FROM updated u
            WHERE u.platform_no = g.platform_no AND u.kind = g.kind AND u.object_no = g.object_no)
        ON CONFLICT (platform_no, kind, object_no) DO UPDATE
            SET sequence_no = b.sequence_no + excluded.sequence_no, status = excluded.status,
                body = b.body || excluded.body, updated_at = excluded.updated_at
        RETURNING b.platform_no, b.kind, b.object_no, b.sequence_no
    ), stored AS (
        SELECT * FROM updated UNION ALL SELECT * FROM inserted
    )
    SELECT array_agg(g.kind ORDER BY g.n), array_agg(g.object_no ORDER BY g.n),
        array_agg(s.sequence_no - g.changes ORDER BY g.n),
        min(g.n) FILTER (WHERE g.new_nth > 0 AND s.sequence_no - g.changes + g.new_nth <> 1)
    INTO kinds, object_nos, first_nos, existing
    FROM given g LEFT JOIN stored s
        ON s.object_no = g.object_no AND s.kind = g.kind AND s.platform_no = g.platform_no;
    IF existing IS NOT NULL THEN
        PERFORM refuse('object_exists', format('The %s %s exists already.', kinds[existing], object_nos[existing]),
            jsonb_build_object('kind', kinds[existing], 'object_no', object_nos[existing]));
    END IF;

    INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at, recorded_at,
        request_no)
    SELECT platform_nos[e.posting], kinds[e.object], object_nos[e.object], first_nos[e.object] + e.nth, e.event_type,
        e.status, e.body, occurred_ats[e.posting], nows[e.posting], request_nos[e.posting]
    FROM jsonb_to_recordset(batch -> 'events')
        AS e(posting int, object int, nth bigint, event_type text, status text, body jsonb);
END $$;

CREATE OR REPLACE FUNCTION post_batch(batch jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    platform_nos text[];
    request_nos text[];
    hashes text[];
    recipes text[];
    bank_serial_nos text[];
    effective_dates date[];
    occurred_ats timestamptz[];
    nows timestamptz[];
    entry_ids bigint[];
    days date[];
    read_days date[];
    answers jsonb[];
    unknown text;
    inserted bigint;
    basis_kinds text[];
    stored request;
BEGIN
    SELECT array_agg(p.platform_no ORDER BY p.n), array_agg(p.request_no ORDER BY p.n),
        array_agg(p.content_hash ORDER BY p.n), array_agg(p.recipe ORDER BY p.n),
        array_agg(p.bank_serial_no ORDER BY p.n), array_agg(p.effective_date ORDER BY p.n),
        array_agg(least(p.occurred_at, p.moment) ORDER BY p.n), array_agg(p.moment ORDER BY p.n),
        array_agg(CASE WHEN p.recipe IS NOT NULL THEN nextval('entry_id_seq') END ORDER BY p.n),
        array_agg(p.answer ORDER BY p.n), array_agg(p.day ORDER BY p.n)
    INTO platform_nos, request_nos, hashes, recipes, bank_serial_nos, effective_dates, occurred_ats, nows, entry_ids,
        answers, read_days
    FROM (SELECT given.*, now() + coalesce(c.ahead, interval '0') AS moment
          FROM jsonb_to_recordset(batch -> 'postings') AS given(n int, platform_no text, request_no text,
              content_hash text, recipe text, bank_serial_no text, effective_date date, occurred_at timestamptz,
              answer jsonb, day date)
          LEFT JOIN story_clock c ON c.platform_no = given.platform_no) p;

    -- Closing a day takes the row FOR UPDATE: until then every posting of the day is committed or not begun.
    WITH locked AS MATERIALIZED (
        SELECT d.platform_no, d.day FROM platform_day d
        WHERE d.platform_no = ANY (platform_nos) ORDER BY d.platform_no FOR SHARE)
    SELECT array_agg(d.day ORDER BY p.n), min(p.platform_no) FILTER (WHERE d.day IS NULL) INTO days, unknown
    FROM unnest(platform_nos) WITH ORDINALITY AS p(platform_no, n)
    LEFT JOIN locked d ON d.platform_no = p.platform_no;
    IF unknown IS NOT NULL THEN
        PERFORM refuse('platform_unknown', format('Platform %s is not open.', unknown));
    END IF;

    INSERT INTO request (platform_no, request_no, content_hash, entry_id, accounting_day, recorded_at, answer)
    SELECT p.platform_no, p.request_no, p.content_hash, p.entry_id, p.day, p.moment, p.answer
    FROM unnest(platform_nos, request_nos, hashes, entry_ids, days, nows, answers)
        AS p(platform_no, request_no, content_hash, entry_id, day, moment, answer)
    ORDER BY p.platform_no, p.request_no
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted < cardinality(request_nos) THEN
        IF cardinality(request_nos) > 1 THEN
            PERFORM refuse('batch_has_repeat', 'Send the postings of this batch one by one.');
        END IF;
        SELECT * INTO STRICT stored FROM request r
        WHERE r.platform_no = platform_nos[1] AND r.request_no = request_nos[1];
        IF stored.content_hash <> hashes[1] THEN
            PERFORM refuse('request_no_reused', format('Request number %s was used with other content.', request_nos[1]),
                jsonb_build_object('request_no', request_nos[1]));
        END IF;
        RETURN jsonb_build_object('entry_ids', ARRAY[stored.entry_id], 'days', ARRAY[stored.accounting_day],
            'repeated', true, 'answer', stored.answer);
    END IF;

    IF EXISTS (SELECT FROM unnest(read_days, days) AS d(read, open) WHERE d.read <> d.open) THEN
        PERFORM refuse('moved', 'The accounting day was closed since it was read.');
    END IF;
    IF batch -> 'objects' <> '[]' OR batch -> 'stands_on' <> '[]' THEN
        PERFORM require_unmoved(batch, platform_nos);
    END IF;
    basis_kinds := take_bases(batch, platform_nos, request_nos, recipes, bank_serial_nos, nows);
    IF batch -> 'lines' <> '[]' THEN
        PERFORM post_lines(batch, platform_nos, request_nos, recipes, bank_serial_nos, effective_dates, occurred_ats,
            entry_ids, days, nows);
        IF basis_kinds && ARRAY['bank_line', 'release'] THEN
            PERFORM check_bases_against_lines(batch, platform_nos, entry_ids);
        END IF;
    END IF;
    IF batch -> 'counters' <> '[]' THEN
        PERFORM use_counters(batch, platform_nos);
    END IF;
    IF batch -> 'objects' <> '[]' THEN
        PERFORM post_changes(batch, platform_nos, request_nos, occurred_ats, nows);
    END IF;
    IF batch -> 'deadlines' <> '[]' THEN
        PERFORM post_deadlines(batch);
    END IF;
    IF batch -> 'answered' <> '[]' THEN
        UPDATE consent c SET answered_at = nows[a.posting]
        FROM jsonb_to_recordset(batch -> 'answered') AS a(posting int, consent_no text)
        WHERE c.platform_no = platform_nos[a.posting] AND c.consent_no = a.consent_no
            AND c.asked AND c.answered_at IS NULL;
    END IF;
    RETURN jsonb_build_object('entry_ids', entry_ids, 'days', days, 'repeated', false);
END $$;

REVOKE EXECUTE ON FUNCTION require_unmoved(jsonb, text[]), use_counters(jsonb, text[]) FROM PUBLIC;
