-- What the database refuses whoever writes. SQLSTATE ES001 is a refusal by a rule: the constraint name is its code,
-- the detail its facts as JSON. ES002 is an attempt to change what may only be appended to.

CREATE FUNCTION refuse(code text, message text, details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ES001', MESSAGE = message, DETAIL = details::text, CONSTRAINT = code;
END $$;

CREATE FUNCTION account_text(member_no text, purpose text, ref text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN member_no = '' THEN '' ELSE member_no || '/' END || purpose
        || CASE WHEN ref = '' THEN '' ELSE ':' || ref END
$$;

CREATE FUNCTION forbid_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ES002',
        MESSAGE = format('%s on %s is refused: it is append-only; correct by a further entry', TG_OP, TG_TABLE_NAME);
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry_line
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON basis_use
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON business_object
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON consent
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON bank_line
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON platform_day
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

-- Entries carry the open day of their platform, checked once per distinct platform and day of the statement.
CREATE FUNCTION guard_entries() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    closed record;
BEGIN
    SELECT dated.platform_no, dated.accounting_day INTO closed
    FROM (SELECT DISTINCT e.platform_no, e.accounting_day FROM new_entries e) dated
    LEFT JOIN platform_day d ON d.platform_no = dated.platform_no
    WHERE d.day IS DISTINCT FROM dated.accounting_day
    LIMIT 1;
    IF FOUND THEN
        PERFORM refuse('day_closed', format('Accounting day %s is not open.', closed.accounting_day),
            jsonb_build_object('accounting_day', closed.accounting_day));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER guard_entries AFTER INSERT ON entry REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION guard_entries();

-- Lines sum to zero per entry, do only what the entry's recipe allows, stay above the account's minimum after each
-- line, and end at the account's balance. Pending money matures only after its day was closed, and stays whose it is.
CREATE FUNCTION guard_lines() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT e.recipe, account_text(a.member_no, a.purpose, a.ref) AS account, l.amount_fen,
        CASE
            WHEN l.sum_fen <> 0 THEN 'unbalanced'
            WHEN e.id IS NULL OR a.id IS NULL OR a.platform_no <> e.platform_no THEN 'recipe_forbidden'
            WHEN e.accounting_day <> l.accounting_day THEN 'day_closed'
            WHEN r.recipe IS NULL THEN 'recipe_forbidden'
            WHEN e.recipe = 'pending_matured' AND a.purpose = 'pending' AND a.ref >= to_char(l.accounting_day, 'YYYY-MM-DD')
                THEN 'basis_not_due'
            WHEN e.recipe = 'pending_matured' AND EXISTS (SELECT FROM new_lines o JOIN account b ON b.id = o.account_id
                WHERE o.entry_id = l.entry_id AND b.member_no <> a.member_no) THEN 'recipe_forbidden'
            WHEN l.balance_after_fen < a.min_balance_fen THEN 'insufficient_balance'
            ELSE 'unbalanced'
        END AS code
    INTO wrong
    FROM (SELECT n.*, sum(n.amount_fen) OVER (PARTITION BY n.entry_id) AS sum_fen FROM new_lines n) l
    LEFT JOIN entry e ON e.id = l.entry_id
    LEFT JOIN account a ON a.id = l.account_id
    LEFT JOIN recipe_rule r ON r.recipe = e.recipe AND r.purpose = a.purpose
        AND r.direction = CASE WHEN l.amount_fen > 0 THEN '+' ELSE '-' END
    WHERE l.sum_fen <> 0
        OR r.recipe IS NULL
        OR a.platform_no <> e.platform_no
        OR e.accounting_day <> l.accounting_day
        OR (e.recipe = 'pending_matured' AND a.purpose = 'pending' AND a.ref >= to_char(l.accounting_day, 'YYYY-MM-DD'))
        OR (e.recipe = 'pending_matured' AND EXISTS (SELECT FROM new_lines o JOIN account b ON b.id = o.account_id
            WHERE o.entry_id = l.entry_id AND b.member_no <> a.member_no))
        OR l.balance_after_fen < a.min_balance_fen
        OR l.version > a.version
        OR (l.version = a.version AND l.balance_after_fen <> a.balance_fen)
    LIMIT 1;
    IF FOUND THEN
        PERFORM refuse(wrong.code, format('Recipe %s may not post this line to %s.', wrong.recipe, wrong.account),
            jsonb_build_object('recipe', wrong.recipe, 'account', wrong.account, 'amount_fen', wrong.amount_fen));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER guard_lines AFTER INSERT ON entry_line REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION guard_lines();

-- An accounting day only moves forward: a closed day never opens again.
CREATE FUNCTION guard_day() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.day <= OLD.day OR NEW.platform_no <> OLD.platform_no THEN
        PERFORM refuse('day_closed', format('Accounting day %s is closed and stays closed.', NEW.day),
            jsonb_build_object('accounting_day', NEW.day));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_day BEFORE UPDATE ON platform_day FOR EACH ROW EXECUTE FUNCTION guard_day();
