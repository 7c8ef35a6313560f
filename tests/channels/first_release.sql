-- A bank sandbox of the first release: one custody account with a line, its clock moved a day ahead of its start.
BEGIN TRANSACTION;
CREATE TABLE card_check (
  req_seq TEXT PRIMARY KEY, bank TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
  reason_code TEXT NOT NULL DEFAULT '', reason_text TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE card_holder (
  card_no TEXT PRIMARY KEY, name TEXT NOT NULL, id_no TEXT NOT NULL, mobile TEXT NOT NULL
) STRICT;
CREATE TABLE code (
  owner TEXT PRIMARY KEY, digits TEXT NOT NULL, mobile TEXT NOT NULL, sendings INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE collection (
  req_seq TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, acct_no TEXT NOT NULL REFERENCES custody_account,
  method TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), subject TEXT NOT NULL,
  return_url TEXT NOT NULL, payer_mobile TEXT NOT NULL, mandate_no TEXT NOT NULL, debit_channel TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, due_ms INTEGER
) STRICT;
CREATE TABLE collection_payment (
  payment_no TEXT PRIMARY KEY, req_seq TEXT NOT NULL REFERENCES collection, acct_no TEXT NOT NULL,
  method TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), fee_fen INTEGER NOT NULL,
  booked_ms INTEGER NOT NULL, settle_due_ms INTEGER NOT NULL, settlement_no TEXT
) STRICT;
CREATE TABLE collection_refund (
  req_seq TEXT PRIMARY KEY, original_req_seq TEXT NOT NULL REFERENCES collection, acct_no TEXT NOT NULL,
  method TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), fingerprint TEXT NOT NULL,
  scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', due_ms INTEGER, booked_ms INTEGER, settle_due_ms INTEGER, settlement_no TEXT
) STRICT;
CREATE TABLE custody_account (
  acct_no TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, title TEXT NOT NULL, opened_ms INTEGER NOT NULL,
  balance_fen INTEGER NOT NULL DEFAULT 0, last_line_no INTEGER NOT NULL DEFAULT 0,
  last_booked_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO "custody_account" VALUES('15000000000001','HOME','x',1772503202350,10000,1,1772503202367);
CREATE TABLE line (
  acct_no TEXT NOT NULL REFERENCES custody_account, line_no INTEGER NOT NULL, serial_no TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen <> 0), balance_fen INTEGER NOT NULL,
  booked_ms INTEGER NOT NULL, req_seq TEXT NOT NULL, party_acct TEXT NOT NULL, party_name TEXT NOT NULL,
  remark TEXT NOT NULL, PRIMARY KEY (acct_no, line_no)
) STRICT, WITHOUT ROWID;
INSERT INTO "line" VALUES('15000000000001',1,'20260303000001000000001','CREDIT',10000,10000,1772503202367,'','6216261000000000018','王小明','');
CREATE TABLE mandate (
  req_seq TEXT PRIMARY KEY, mandate_no TEXT NOT NULL UNIQUE, acct_no TEXT NOT NULL REFERENCES custody_account,
  payer_acct TEXT NOT NULL, payer_name TEXT NOT NULL, payer_bank TEXT NOT NULL, max_fen INTEGER NOT NULL,
  day_max_fen INTEGER NOT NULL, last_day TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
  reason_code TEXT NOT NULL DEFAULT '', reason_text TEXT NOT NULL DEFAULT '', signed_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE micro_deposit (
  req_seq TEXT PRIMARY KEY, acct_no TEXT NOT NULL REFERENCES custody_account, payee_acct TEXT NOT NULL,
  payee_name TEXT NOT NULL, amount_fen INTEGER NOT NULL, reference TEXT NOT NULL, fingerprint TEXT NOT NULL,
  scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, expires_ms INTEGER NOT NULL,
  return_due_ms INTEGER, returned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE notice (
  notice_no INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, state TEXT NOT NULL, copies INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, not_before_real_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "notice" VALUES(1,'{"kind": "LINE", "acctNo": "15000000000001", "reqSeq": "", "state": "", "amt": "100.00", "at": "2026-03-03T10:00:02.367+08:00"}','waiting',1,0,1795931501309);
CREATE TABLE one_time (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, scenario TEXT NOT NULL
) STRICT;
CREATE TABLE payout (
  req_seq TEXT PRIMARY KEY, acct_no TEXT NOT NULL REFERENCES custody_account, channel TEXT NOT NULL,
  amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), payee_acct TEXT NOT NULL, payee_name TEXT NOT NULL,
  payee_is_corporate INTEGER NOT NULL, payee_bank_code TEXT NOT NULL, summary TEXT NOT NULL,
  fingerprint TEXT NOT NULL, scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', accepted_ms INTEGER NOT NULL, due_ms INTEGER, serial_no TEXT,
  finished_ms INTEGER, return_due_ms INTEGER
) STRICT;
CREATE TABLE register_company (
  credit_code TEXT PRIMARY KEY, name TEXT NOT NULL, legal_rep_name TEXT NOT NULL, legal_rep_id_no TEXT NOT NULL,
  status TEXT NOT NULL, registered_fen INTEGER, paid_in_fen INTEGER
) STRICT;
CREATE TABLE register_person (id_no TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "setting" VALUES('clock_offset_ms','-23341898942');
CREATE TABLE settlement (
  settlement_no TEXT PRIMARY KEY, acct_no TEXT NOT NULL, method TEXT NOT NULL, day TEXT NOT NULL,
  paid_fen INTEGER NOT NULL, refunded_fen INTEGER NOT NULL, fee_fen INTEGER NOT NULL, net INTEGER NOT NULL,
  serial_no TEXT NOT NULL
) STRICT;
CREATE TABLE sms (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, req_seq TEXT NOT NULL UNIQUE, mobile TEXT NOT NULL, text TEXT NOT NULL,
  received_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE unknown_number (req_seq TEXT PRIMARY KEY, first_asked_ms INTEGER NOT NULL) STRICT;
CREATE INDEX payout_due ON payout (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX payout_under_way ON payout (acct_no) WHERE due_ms IS NOT NULL;
CREATE INDEX payout_return_due ON payout (return_due_ms) WHERE return_due_ms IS NOT NULL;
CREATE INDEX notice_waiting ON notice (not_before_real_ms) WHERE state = 'waiting';
CREATE INDEX debit_of_mandate ON collection (mandate_no, created_ms) WHERE mandate_no <> '';
CREATE INDEX collection_due ON collection (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX payment_of_collection ON collection_payment (req_seq);
CREATE INDEX payment_to_settle ON collection_payment (settle_due_ms) WHERE settlement_no IS NULL;
CREATE INDEX refund_due ON collection_refund (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX refund_of_collection ON collection_refund (original_req_seq);
CREATE INDEX refund_to_settle ON collection_refund (settle_due_ms)
  WHERE settlement_no IS NULL AND settle_due_ms IS NOT NULL;
CREATE INDEX micro_deposit_return ON micro_deposit (return_due_ms) WHERE return_due_ms IS NOT NULL;
COMMIT;
