-- What can come true once only, such as the end of an order's wait for its payment: the posting that names it first
-- has it for ever, in the same transaction as its money.
CREATE TABLE claim (
    platform_no text NOT NULL,
    name text NOT NULL,
    request_no text NOT NULL,
    PRIMARY KEY (platform_no, name)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON claim
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
GRANT SELECT ON claim TO escrow_app;

-- The waits that are over already belong to the change that ended them.
INSERT INTO claim (platform_no, name, request_no)
SELECT DISTINCT ON (platform_no, object_no) platform_no, format('order/%s/unpaid', object_no), request_no
FROM event WHERE kind = 'order' AND status <> 'awaiting_payment'
ORDER BY platform_no, object_no, sequence_no;

-- A batch has a further list,
--   claims    {posting, name}
-- which is taken between the request numbers and the bases; like every other list, in one order by all.
ALTER FUNCTION take_bases(jsonb, text[], text[], text[], text[], timestamptz[]) RENAME TO take_bases_alone;

CREATE FUNCTION take_bases(
    batch jsonb, platform_nos text[], request_nos text[], recipes text[], bank_serial_nos text[],
    occurred_ats timestamptz[]
) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    other text;
BEGIN
    IF batch -> 'claims' <> '[]' THEN
        INSERT INTO claim (platform_no, name, request_no)
        SELECT platform_nos[c.posting], c.name, request_nos[c.posting]
        FROM jsonb_to_recordset(batch -> 'claims') AS c(posting int, name text)
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken < jsonb_array_length(batch -> 'claims') THEN
            SELECT min(c.name) INTO other
            FROM jsonb_to_recordset(batch -> 'claims') AS c(posting int, name text)
            JOIN claim k ON k.platform_no = platform_nos[c.posting] AND k.name = c.name
            WHERE k.request_no <> request_nos[c.posting];
            PERFORM refuse('claim_taken', format('%s was ended by another request.', other),
                jsonb_build_object('name', other));
        END IF;
    END IF;
    RETURN take_bases_alone(batch, platform_nos, request_nos, recipes, bank_serial_nos, occurred_ats);
END $$;
REVOKE EXECUTE ON FUNCTION take_bases(jsonb, text[], text[], text[], text[], timestamptz[]) FROM PUBLIC;
