-- Posting: one round trip, one transaction, all or nothing. `batch` is one JSON object of flat lists whose rows name
-- each other by position (from 1):
--   postings  {n, platform_no, request_no, content_hash, occurred_at, recipe|null, bank_serial_no, effective_date|null}
--   accounts  {n, platform_no, member_no, purpose, ref, min_balance_fen|null}        distinct
--   lines     {n, posting, account, amount_fen}                                      one per account and posting
--   objects   {n, platform_no, kind, object_no, status, body, changes, new_nth}      distinct, bodies already merged;
--             new_nth: which of the changes here must be the object's first ever, 0 for none
--   events    {posting, object, nth, event_type, status, body}                       nth change of its object here
--   deadlines {platform_no, object_kind, object_no, name, due_at|null}               distinct
--   bases     {posting, kind, reference, operation_hash}
-- The answer is {entry_ids, days, repeated}, the lists in the order of the postings; `repeated` only for a single
-- posting. Any refusal rolls the whole batch back; the caller then sends its postings one by one, so that each gets
-- its own answer.
--
-- Every transaction locks in the same order: day, request numbers, bases, accounts by id, objects, deadlines.
-- The plans must not depend on statistics taken while the tables were small, hence the planner settings. A call costs
-- mostly by the number of its statements, so each list is unpacked once and steps that a batch does not need are
-- not taken.

CREATE FUNCTION take_bases(
    batch jsonb, platform_nos text[], request_nos text[], recipes text[], bank_serial_nos text[],
    occurred_ats timestamptz[]
) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    postings int[];
    kinds text[];
    refs text[];
    hashes text[];
    wrong record;
    wanted bigint;
    taken bigint;
BEGIN
    -- In the order in which consents are locked.
    SELECT coalesce(array_agg(b.posting), '{}'), array_agg(b.kind), array_agg(b.reference), array_agg(b.operation_hash)
    INTO postings, kinds, refs, hashes
    FROM (SELECT * FROM jsonb_to_recordset(batch -> 'bases')
            AS given(posting int, kind text, reference text, operation_hash text)
          ORDER BY given.kind, given.reference) b;

    -- Taken before it is checked: of two requests on one basis the second waits here for the first.
    wanted := cardinality(array_remove(kinds, 'none'));
    IF wanted > 0 THEN
        INSERT INTO basis_use (platform_no, kind, reference, request_no)
        SELECT platform_nos[b.posting], b.kind, b.reference, request_nos[b.posting]
        FROM unnest(postings, kinds, refs) AS b(posting, kind, reference)
        WHERE b.kind <> 'none'
        ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken < wanted THEN
            PERFORM refuse(CASE WHEN 'bank_line' = ANY (kinds) THEN 'bank_line_already_posted' ELSE 'basis_used' END,
                'The basis was used by another request.');
        END IF;
    END IF;

    SELECT checked.* INTO wrong FROM (
        SELECT p.recipe AS basis, '' AS reference,
            CASE WHEN r.recipe IS NULL THEN 'recipe_unknown' ELSE 'basis_missing' END AS code
        FROM unnest(recipes) WITH ORDINALITY AS p(recipe, n)
        LEFT JOIN recipe r ON r.recipe = p.recipe
        WHERE p.recipe IS NOT NULL AND (r.recipe IS NULL OR p.n <> ALL (postings))
        UNION ALL
        SELECT b.kind, b.reference,
            CASE
                WHEN r.recipe IS NOT NULL AND b.kind <> ALL (r.basis_kinds) THEN 'basis_mismatch'
                WHEN b.kind = 'consent' THEN CASE
                    WHEN c.consent_no IS NULL THEN 'basis_missing'
                    WHEN c.voided_at IS NOT NULL THEN 'basis_void'
                    WHEN c.expires_at <= now() THEN 'basis_expired'
                    WHEN c.operation_hash <> b.operation_hash THEN 'basis_mismatch' END
                WHEN b.kind = 'deadline' THEN CASE
                    WHEN d.due_at IS NULL THEN 'basis_missing'
                    WHEN d.due_at > occurred_ats[b.posting] THEN 'basis_not_due' END
                WHEN b.kind = 'bank_line' THEN CASE
                    WHEN l.bank_serial_no IS NULL THEN 'basis_missing'
                    WHEN bank_serial_nos[b.posting] <> b.reference THEN 'basis_mismatch' END
                WHEN b.kind = 'release' THEN CASE
                    WHEN q.request_no IS NULL THEN 'basis_missing' END
                WHEN b.kind = 'none' THEN NULL
                ELSE 'basis_mismatch'
            END
        FROM unnest(postings, kinds, refs, hashes) AS b(posting, kind, reference, operation_hash)
        LEFT JOIN recipe r ON r.recipe = recipes[b.posting]
        LEFT JOIN LATERAL (
            SELECT * FROM consent WHERE b.kind = 'consent'
                AND platform_no = platform_nos[b.posting] AND consent_no = b.reference
            FOR NO KEY UPDATE) c ON true
        LEFT JOIN deadline d ON b.kind = 'deadline' AND d.platform_no = platform_nos[b.posting]
            AND d.object_kind = split_part(b.reference, '/', 1) AND d.object_no = split_part(b.reference, '/', 2)
            AND d.name = split_part(b.reference, '/', 3)
        LEFT JOIN bank_line l ON b.kind = 'bank_line' AND l.platform_no = platform_nos[b.posting]
            AND l.bank_serial_no = b.reference
        LEFT JOIN request q ON b.kind = 'release' AND q.platform_no = platform_nos[b.posting]
            AND q.request_no = b.reference
    ) checked
    WHERE checked.code IS NOT NULL
    LIMIT 1;
    IF FOUND THEN
        PERFORM refuse(wrong.code, format('This has no basis that holds (%s %s).', wrong.basis, wrong.reference),
            jsonb_build_object('basis', wrong.basis, 'reference', wrong.reference));
    END IF;

    RETURN kinds;
END $$;

-- Bases that can only be judged against the lines just posted: a bank line by its amount on the custody account, an
-- earlier release by the account it credited.
CREATE FUNCTION check_bases_against_lines(
    batch jsonb, platform_nos text[], entry_ids bigint[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    basis record;
BEGIN
    FOR basis IN
        SELECT b.posting, b.kind, b.reference
        FROM jsonb_to_recordset(batch -> 'bases') AS b(posting int, kind text, reference text)
        WHERE b.kind IN ('bank_line', 'release')
        ORDER BY b.kind, b.reference
    LOOP
        IF basis.kind = 'bank_line' THEN
            UPDATE bank_line l SET entry_id = entry_ids[basis.posting]
            WHERE l.platform_no = platform_nos[basis.posting] AND l.bank_serial_no = basis.reference
                AND coalesce(l.entry_id, 0) = 0  -- `IS NULL` would let the planner walk the index of unposted lines
                AND l.amount_fen = -(SELECT sum(moved.amount_fen) FROM entry_line moved
                    JOIN account a ON a.id = moved.account_id
                    WHERE moved.entry_id = entry_ids[basis.posting] AND a.purpose = 'custody');
        ELSE
            PERFORM FROM request q
            WHERE q.platform_no = platform_nos[basis.posting] AND q.request_no = basis.reference
                AND NOT EXISTS (
                    SELECT FROM entry_line debited
                    WHERE debited.entry_id = entry_ids[basis.posting] AND debited.amount_fen < 0
                        AND NOT EXISTS (
                            SELECT FROM entry_line credited
                            WHERE credited.entry_id = q.entry_id AND credited.account_id = debited.account_id
                                AND credited.amount_fen >= -debited.amount_fen));
        END IF;
        IF NOT FOUND THEN
            PERFORM refuse('basis_mismatch', format('The %s %s is not about this money.', basis.kind, basis.reference),
                jsonb_build_object('basis', basis.kind, 'reference', basis.reference));
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION post_lines(
    batch jsonb, platform_nos text[], request_nos text[], recipes text[], bank_serial_nos text[],
    effective_dates date[], occurred_ats timestamptz[], entry_ids bigint[], days date[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    account_ids bigint[];
    unknown boolean;
    touched bigint[];
    deltas bigint[];
    counts bigint[];
    changed bigint[];
    balances bigint[];
    versions bigint[];
    short text;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT array_agg(a.id ORDER BY k.n), bool_or(a.id IS NULL) INTO account_ids, unknown
        FROM jsonb_to_recordset(batch -> 'accounts')
            AS k(n int, platform_no text, member_no text, purpose text, ref text)
        LEFT JOIN account a ON a.platform_no = k.platform_no AND a.member_no = k.member_no
            AND a.purpose = k.purpose AND a.ref = k.ref;
        EXIT WHEN NOT unknown;
        INSERT INTO account (platform_no, member_no, purpose, ref, min_balance_fen)
        SELECT k.platform_no, k.member_no, k.purpose, k.ref, k.min_balance_fen
        FROM jsonb_to_recordset(batch -> 'accounts')
            AS k(n int, platform_no text, member_no text, purpose text, ref text, min_balance_fen bigint)
        WHERE account_ids[k.n] IS NULL
        ORDER BY k.platform_no, k.member_no, k.purpose, k.ref
        ON CONFLICT DO NOTHING;
    END LOOP;

    -- From here on an account is known by its place in the ascending list of ids, which width_bucket finds.
    SELECT array_agg(d.id ORDER BY d.id), array_agg(d.delta ORDER BY d.id), array_agg(d.lines ORDER BY d.id)
    INTO touched, deltas, counts
    FROM (SELECT account_ids[l.account] AS id, sum(l.amount_fen)::bigint AS delta, count(*) AS lines
          FROM jsonb_to_recordset(batch -> 'lines') AS l(account int, amount_fen bigint) GROUP BY 1) d;

    -- The update is the lock: an index scan over a list of ids visits them in ascending order.
    WITH updated AS (
        UPDATE account a
        SET balance_fen = a.balance_fen + deltas[width_bucket(a.id, touched)],
            version = a.version + counts[width_bucket(a.id, touched)]
        WHERE a.id = ANY (touched)
            AND (a.min_balance_fen IS NULL
                 OR a.balance_fen + deltas[width_bucket(a.id, touched)] >= a.min_balance_fen)
        RETURNING a.id, a.balance_fen, a.version)
    SELECT array_agg(u.id ORDER BY u.id), array_agg(u.balance_fen ORDER BY u.id), array_agg(u.version ORDER BY u.id)
    INTO changed, balances, versions FROM updated u;
    IF changed IS DISTINCT FROM touched THEN
        SELECT account_text(k.member_no, k.purpose, k.ref) INTO short
        FROM jsonb_to_recordset(batch -> 'accounts') AS k(n int, member_no text, purpose text, ref text)
        WHERE account_ids[k.n] <> ALL (coalesce(changed, '{}'))
        ORDER BY k.n LIMIT 1;
        PERFORM refuse('insufficient_balance', format('The balance of %s does not cover this.', short),
            jsonb_build_object('account', short));
    END IF;

    INSERT INTO entry (id, platform_no, request_no, recipe, bank_serial_no, accounting_day, effective_date, occurred_at)
    SELECT entry_ids[p.n], platform_nos[p.n], request_nos[p.n], recipes[p.n], bank_serial_nos[p.n], days[p.n],
        coalesce(effective_dates[p.n], days[p.n]), occurred_ats[p.n]
    FROM generate_subscripts(entry_ids, 1) AS p(n)
    WHERE entry_ids[p.n] IS NOT NULL;

    INSERT INTO entry_line (entry_id, account_id, accounting_day, version, amount_fen, balance_after_fen)
    SELECT entry_ids[l.posting], touched[l.place], days[l.posting],
        versions[l.place] - counts[l.place] + row_number() OVER upto,
        l.amount_fen,
        (balances[l.place]::numeric - deltas[l.place] + sum(l.amount_fen) OVER upto)::bigint
    FROM (SELECT given.*, width_bucket(account_ids[given.account], touched) AS place
          FROM jsonb_to_recordset(batch -> 'lines')
              AS given(n int, posting int, account int, amount_fen bigint)) l
    WINDOW upto AS (PARTITION BY l.place ORDER BY l.n);
END $$;

CREATE FUNCTION post_changes(
    batch jsonb, platform_nos text[], request_nos text[], occurred_ats timestamptz[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    kinds text[];
    object_nos text[];
    first_nos bigint[];
    existing int;
BEGIN
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(batch -> 'objects')
            AS o(n int, platform_no text, kind text, object_no text, status text, body jsonb, changes bigint, new_nth int)
        ORDER BY o.platform_no, o.kind, o.object_no
    ), stored AS (
        INSERT INTO business_object AS b
            (platform_no, kind, object_no, sequence_no, status, body, created_at, updated_at)
        SELECT g.platform_no, g.kind, g.object_no, g.changes, g.status, g.body, now(), now() FROM given g
        ON CONFLICT (platform_no, kind, object_no) DO UPDATE
            SET sequence_no = b.sequence_no + excluded.sequence_no, status = excluded.status,
                body = b.body || excluded.body, updated_at = excluded.updated_at
        RETURNING b.platform_no, b.kind, b.object_no, b.sequence_no
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

    INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at, request_no)
    SELECT platform_nos[e.posting], kinds[e.object], object_nos[e.object], first_nos[e.object] + e.nth, e.event_type,
        e.status, e.body, occurred_ats[e.posting], request_nos[e.posting]
    FROM jsonb_to_recordset(batch -> 'events')
        AS e(posting int, object int, nth bigint, event_type text, status text, body jsonb);
END $$;

CREATE FUNCTION post_deadlines(batch jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    change record;
BEGIN
    FOR change IN
        SELECT * FROM jsonb_to_recordset(batch -> 'deadlines')
            AS d(platform_no text, object_kind text, object_no text, name text, due_at timestamptz)
        ORDER BY d.platform_no, d.object_kind, d.object_no, d.name
    LOOP
        IF change.due_at IS NULL THEN
            DELETE FROM deadline d WHERE d.platform_no = change.platform_no AND d.object_kind = change.object_kind
                AND d.object_no = change.object_no AND d.name = change.name;
        ELSE
            INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
            VALUES (change.platform_no, change.object_kind, change.object_no, change.name, change.due_at)
            ON CONFLICT (platform_no, object_kind, object_no, name) DO UPDATE SET due_at = excluded.due_at;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION post_batch(batch jsonb) RETURNS jsonb
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
    entry_ids bigint[];
    days date[];
    unknown text;
    inserted bigint;
    basis_kinds text[];
    stored request;
BEGIN
    SELECT array_agg(p.platform_no ORDER BY p.n), array_agg(p.request_no ORDER BY p.n),
        array_agg(p.content_hash ORDER BY p.n), array_agg(p.recipe ORDER BY p.n),
        array_agg(p.bank_serial_no ORDER BY p.n), array_agg(p.effective_date ORDER BY p.n),
        array_agg(p.occurred_at ORDER BY p.n),
        array_agg(CASE WHEN p.recipe IS NOT NULL THEN nextval('entry_id_seq') END ORDER BY p.n)
    INTO platform_nos, request_nos, hashes, recipes, bank_serial_nos, effective_dates, occurred_ats, entry_ids
    FROM jsonb_to_recordset(batch -> 'postings') AS p(n int, platform_no text, request_no text, content_hash text,
        recipe text, bank_serial_no text, effective_date date, occurred_at timestamptz);

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

    INSERT INTO request (platform_no, request_no, content_hash, entry_id, accounting_day)
    SELECT p.platform_no, p.request_no, p.content_hash, p.entry_id, p.day
    FROM unnest(platform_nos, request_nos, hashes, entry_ids, days)
        AS p(platform_no, request_no, content_hash, entry_id, day)
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
            'repeated', true);
    END IF;

    basis_kinds := take_bases(batch, platform_nos, request_nos, recipes, bank_serial_nos, occurred_ats);
    IF batch -> 'lines' <> '[]' THEN
        PERFORM post_lines(batch, platform_nos, request_nos, recipes, bank_serial_nos, effective_dates, occurred_ats,
            entry_ids, days);
        IF basis_kinds && ARRAY['bank_line', 'release'] THEN
            PERFORM check_bases_against_lines(batch, platform_nos, entry_ids);
        END IF;
    END IF;
    IF batch -> 'objects' <> '[]' THEN
        PERFORM post_changes(batch, platform_nos, request_nos, occurred_ats);
    END IF;
    IF batch -> 'deadlines' <> '[]' THEN
        PERFORM post_deadlines(batch);
    END IF;
    RETURN jsonb_build_object('entry_ids', entry_ids, 'days', days, 'repeated', false);
END $$;
