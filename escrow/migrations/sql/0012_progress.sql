-- What is unfinished and late is found without reading what has ended, who waits for a person is on one list, and the
-- books know when somebody last went round. Nothing of this moves money or changes an object, so it is no posting.

CREATE INDEX deadline_due ON deadline (platform_no, due_at);

-- One for each kind that has a process: the statuses are those in which it has ended.
CREATE INDEX order_unfinished ON business_object (platform_no, object_no)
    WHERE kind = 'order' AND status NOT IN ('closed_unpaid', 'settled', 'cancelled');
CREATE INDEX withdrawal_unfinished ON business_object (platform_no, object_no)
    WHERE kind = 'withdrawal' AND status NOT IN ('paid', 'failed', 'refused');
CREATE INDEX pay_in_unfinished ON business_object (platform_no, object_no)
    WHERE kind = 'pay_in' AND (status NOT IN ('paid', 'closed', 'failed')
        OR body @> '{"returns": [{"outcome": "held"}]}'
        OR body @? '$.payments[*] ? (@.suspended_fen > 0 && !(@.stays == true))');
CREATE INDEX batch_payment_unfinished ON business_object (platform_no, object_no)
    WHERE kind = 'batch_payment' AND status NOT IN ('paid', 'closed', 'refused');
CREATE INDEX refund_unfinished ON business_object (platform_no, object_no)
    WHERE kind = 'refund' AND status NOT IN ('refunded', 'credited');
-- A collection that has ended is looked at for payments that come late until some days after it was opened.
CREATE INDEX pay_in_created ON business_object (platform_no, created_at) WHERE kind = 'pay_in';
CREATE INDEX pay_in_attention ON business_object (platform_no, object_no)
    WHERE kind = 'pay_in' AND body ->> 'attention' <> '';

-- Why a person is needed for an object, beside what the object itself says; `is_late`: because it makes no progress.
CREATE TABLE attention (
    platform_no text NOT NULL,
    object_kind text NOT NULL,
    object_no text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    is_late boolean NOT NULL DEFAULT false,
    PRIMARY KEY (platform_no, object_kind, object_no)
);

-- In how many rounds an object was found late, one after another.
CREATE TABLE late_object (
    platform_no text NOT NULL,
    object_kind text NOT NULL,
    object_no text NOT NULL,
    rounds integer NOT NULL,
    PRIMARY KEY (platform_no, object_kind, object_no)
);

-- One row: when the last round was made, and as far as which object (kind, platform, number) it has looked.
CREATE TABLE last_round (
    is_last boolean PRIMARY KEY DEFAULT true CHECK (is_last),
    made_at timestamptz NOT NULL,
    swept_to text[] NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON attention, late_object TO escrow_app;
GRANT SELECT, INSERT, UPDATE ON last_round TO escrow_app;
