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

-- What looks after members is unfinished while a deadline of it stands: found by its kind.
CREATE INDEX deadline_of_kind ON deadline (object_kind, platform_no, object_no);

-- What was asked for or under way before has its deadlines from now on.
INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
SELECT v.platform_no, 'account_verification', v.verification_no, CASE v.status WHEN 'asked' THEN 'send' ELSE 'confirm' END,
    CASE v.status WHEN 'asked' THEN v.asked_at + interval '10 minutes' ELSE v.expires_at END
FROM account_verification v WHERE v.status = 'asked' OR v.status = 'sent' AND v.expires_at IS NOT NULL
ON CONFLICT DO NOTHING;
INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
SELECT i.platform_no, 'identity_check', i.check_no, 'answer', i.asked_at + interval '24 hours'
FROM identity_check i WHERE i.status = 'asked'
ON CONFLICT DO NOTHING;
INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
SELECT m.platform_no, 'mandate', m.mandate_no, 'last_day',
    (m.last_day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
FROM mandate m WHERE m.status IN ('signed', 'active')
UNION ALL
SELECT m.platform_no, 'mandate', m.mandate_no, 'bank_told', coalesce(m.ended_at, m.signed_at) + interval '1 hour'
FROM mandate m WHERE m.status = 'signed' OR m.status IN ('revoked', 'expired') AND m.deregistered_at IS NULL
ON CONFLICT DO NOTHING;
INSERT INTO deadline (platform_no, object_kind, object_no, name, due_at)
SELECT m.platform_no, 'member_closing', format('%s/%s', m.object_no, m.body #>> '{closing,request_no}'), 'close',
    (m.body #>> '{closing,closes_at}')::timestamptz
FROM business_object m WHERE m.kind = 'member' AND m.status = 'closing'
ON CONFLICT DO NOTHING;

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

-- In how many rounds an object was found late, one after another; `round_begun_at` is when the last of these was begun,
-- so that a round that is made twice, because its worker was killed, counts once.
CREATE TABLE late_object (
    platform_no text NOT NULL,
    object_kind text NOT NULL,
    object_no text NOT NULL,
    rounds integer NOT NULL,
    round_begun_at timestamptz NOT NULL,
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
