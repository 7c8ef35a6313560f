"""Tables of money in and of verification; those of custody accounts and payouts are in `books`."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS mandate (
  req_seq TEXT PRIMARY KEY, mandate_no TEXT NOT NULL UNIQUE, acct_no TEXT NOT NULL REFERENCES custody_account,
  payer_acct TEXT NOT NULL, payer_name TEXT NOT NULL, payer_bank TEXT NOT NULL, max_fen INTEGER NOT NULL,
  day_max_fen INTEGER NOT NULL, last_day TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
  reason_code TEXT NOT NULL DEFAULT '', reason_text TEXT NOT NULL DEFAULT '', signed_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS collection (
  req_seq TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, acct_no TEXT NOT NULL REFERENCES custody_account,
  method TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), subject TEXT NOT NULL,
  return_url TEXT NOT NULL, payer_mobile TEXT NOT NULL, mandate_no TEXT NOT NULL, debit_channel TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, due_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS debit_of_mandate ON collection (mandate_no, created_ms) WHERE mandate_no <> '';
CREATE INDEX IF NOT EXISTS collection_due ON collection (acct_no, due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS collection_payment (
  payment_no TEXT PRIMARY KEY, req_seq TEXT NOT NULL REFERENCES collection, acct_no TEXT NOT NULL,
  method TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), fee_fen INTEGER NOT NULL,
  booked_ms INTEGER NOT NULL, settle_due_ms INTEGER NOT NULL, settlement_no TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS payment_of_collection ON collection_payment (req_seq);
CREATE INDEX IF NOT EXISTS payment_to_settle ON collection_payment (acct_no, settle_due_ms)
  WHERE settlement_no IS NULL;
CREATE TABLE IF NOT EXISTS collection_refund (
  req_seq TEXT PRIMARY KEY, original_req_seq TEXT NOT NULL REFERENCES collection, acct_no TEXT NOT NULL,
  method TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), fingerprint TEXT NOT NULL,
  scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', due_ms INTEGER, booked_ms INTEGER, settle_due_ms INTEGER, settlement_no TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS refund_due ON collection_refund (acct_no, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS refund_of_collection ON collection_refund (original_req_seq);
CREATE INDEX IF NOT EXISTS refund_to_settle ON collection_refund (acct_no, settle_due_ms)
  WHERE settlement_no IS NULL AND settle_due_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS settlement (
  settlement_no TEXT PRIMARY KEY, acct_no TEXT NOT NULL, method TEXT NOT NULL, day TEXT NOT NULL,
  paid_fen INTEGER NOT NULL, refunded_fen INTEGER NOT NULL, fee_fen INTEGER NOT NULL, net INTEGER NOT NULL,
  serial_no TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS code (
  owner TEXT PRIMARY KEY, digits TEXT NOT NULL, mobile TEXT NOT NULL, sendings INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS register_person (id_no TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS register_company (
  credit_code TEXT PRIMARY KEY, name TEXT NOT NULL, legal_rep_name TEXT NOT NULL, legal_rep_id_no TEXT NOT NULL,
  status TEXT NOT NULL, registered_fen INTEGER, paid_in_fen INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS card_check (
  req_seq TEXT PRIMARY KEY, acct_no TEXT NOT NULL REFERENCES custody_account, bank TEXT NOT NULL,
  fingerprint TEXT NOT NULL, state TEXT NOT NULL,
  reason_code TEXT NOT NULL DEFAULT '', reason_text TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS card_holder (
  card_no TEXT PRIMARY KEY, name TEXT NOT NULL, id_no TEXT NOT NULL, mobile TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS micro_deposit (
  req_seq TEXT PRIMARY KEY, acct_no TEXT NOT NULL REFERENCES custody_account, payee_acct TEXT NOT NULL,
  payee_name TEXT NOT NULL, amount_fen INTEGER NOT NULL, reference TEXT NOT NULL, fingerprint TEXT NOT NULL,
  scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER NOT NULL,
  return_due_ms INTEGER, returned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS micro_deposit_return ON micro_deposit (acct_no, return_due_ms)
  WHERE return_due_ms IS NOT NULL;
"""
