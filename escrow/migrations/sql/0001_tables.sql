-- The books. No foreign keys on the posting path: the statement-level guards of 0001_guards.sql check the same
-- references once per statement, a row-level foreign key would run one query and take one lock per line.

-- The open accounting day of each platform; everything before it is closed.
CREATE TABLE platform_day (
    platform_no text PRIMARY KEY,
    day date NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform_no text NOT NULL,
    member_no text NOT NULL DEFAULT '',
    purpose text NOT NULL,
    ref text NOT NULL DEFAULT '',
    balance_fen bigint NOT NULL DEFAULT 0,
    min_balance_fen bigint,
    version bigint NOT NULL DEFAULT 0,  -- number of lines ever posted to the account
    opened_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_key UNIQUE (platform_no, member_no, purpose, ref),
    CONSTRAINT account_minimum CHECK (balance_fen >= min_balance_fen),
    CONSTRAINT account_without_minimum
        CHECK ((min_balance_fen IS NULL) = (purpose IN ('custody', 'channel_due', 'bank_charges')))
) WITH (fillfactor = 70);

-- Every request number ever taken, with its receipt: the one idempotency. Rows never expire.
CREATE TABLE request (
    platform_no text NOT NULL,
    request_no text NOT NULL,
    content_hash text NOT NULL,
    entry_id bigint,
    accounting_day date NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform_no, request_no)
);

CREATE TABLE recipe (
    recipe text PRIMARY KEY,
    basis_kinds text[] NOT NULL
);

CREATE TABLE recipe_rule (
    recipe text NOT NULL REFERENCES recipe (recipe),
    purpose text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('+', '-')),
    PRIMARY KEY (recipe, purpose, direction)
);

CREATE SEQUENCE entry_id_seq AS bigint;

CREATE TABLE entry (
    id bigint PRIMARY KEY,
    platform_no text NOT NULL,
    request_no text NOT NULL,
    recipe text NOT NULL,
    bank_serial_no text NOT NULL DEFAULT '',
    accounting_day date NOT NULL,
    effective_date date NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX entry_bank_serial_no ON entry (platform_no, bank_serial_no) WHERE bank_serial_no <> '';

CREATE TABLE entry_line (
    account_id bigint NOT NULL,
    accounting_day date NOT NULL,
    version bigint NOT NULL CHECK (version > 0),  -- the account's version after this line: 1, 2, 3 … without a gap
    entry_id bigint NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen <> 0),
    balance_after_fen bigint NOT NULL,
    PRIMARY KEY (account_id, accounting_day, version)
);
CREATE UNIQUE INDEX entry_line_entry ON entry_line (entry_id, account_id);

CREATE TABLE business_object (
    platform_no text NOT NULL,
    kind text NOT NULL,
    object_no text NOT NULL,
    sequence_no bigint NOT NULL,
    status text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (platform_no, kind, object_no)
) WITH (fillfactor = 80);

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    platform_no text NOT NULL,
    kind text NOT NULL,
    object_no text NOT NULL,
    sequence_no bigint NOT NULL,
    event_type text NOT NULL,
    status text NOT NULL,
    body jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    recorded_tx bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    request_no text NOT NULL,
    PRIMARY KEY (platform_no, kind, object_no, sequence_no)
);
-- A feed read in order of (recorded_tx, id), up to the oldest transaction still running, never passes over an event
-- that commits late.
CREATE INDEX event_feed ON event (platform_no, recorded_tx, id);

CREATE TABLE deadline (
    platform_no text NOT NULL,
    object_kind text NOT NULL,
    object_no text NOT NULL,
    name text NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (platform_no, object_kind, object_no, name)
);

CREATE TABLE consent (
    platform_no text NOT NULL,
    consent_no text NOT NULL,
    content_hash text NOT NULL,
    object_kind text NOT NULL,
    object_no text NOT NULL,
    operation text NOT NULL,
    given_by text NOT NULL,
    terms jsonb NOT NULL,
    operation_hash text NOT NULL,
    method text NOT NULL,
    text_version text NOT NULL,
    remote_address text NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    voided_at timestamptz,
    outcome jsonb,
    PRIMARY KEY (platform_no, consent_no)
);
-- Not led by platform_no: a planner without statistics takes any index that begins with it for as good as the primary
-- key, and then reads every consent of the platform for one posting.
CREATE INDEX consent_object ON consent (object_no, object_kind, platform_no);

CREATE TABLE basis_use (
    platform_no text NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    request_no text NOT NULL,
    PRIMARY KEY (platform_no, kind, reference)
);

-- What the bank booked on the custody account, credits positive, and the entry that posted it.
CREATE TABLE bank_line (
    platform_no text NOT NULL,
    bank_serial_no text NOT NULL,
    line_no bigint NOT NULL,
    kind text NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen <> 0),
    booked_at timestamptz NOT NULL,
    value_date date NOT NULL,
    balance_after_fen bigint NOT NULL,
    request_no text NOT NULL DEFAULT '',
    counterparty_sealed bytea NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    entry_id bigint,
    PRIMARY KEY (platform_no, bank_serial_no),
    CONSTRAINT bank_line_line_no UNIQUE (line_no, platform_no)  -- not led by platform_no, as consent_object
);
CREATE INDEX bank_line_unposted ON bank_line (platform_no, line_no) WHERE entry_id IS NULL;
