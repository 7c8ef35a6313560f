"""Each invariant finds the row that breaks it: a fault planted past all guards is named."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from escrow.domain.collections.batch_payments import Share, batch_frozen
from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, Change, CounterUse, JournalEntry
from escrow.ledger.engine import connect
from escrow.ledger.evidence import EVIDENCE
from escrow.ledger.invariants import INVARIANT_NAMES, check_invariants
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import CLOSED, DAY, HOME, a_consent, booked_by_bank, matured, open_day, posting, top_up
from tests.ledger.collected import collected_business
from tests.postgres import Database

FAULTS = {
    "entry_balanced": "UPDATE entry_line SET amount_fen = amount_fen + 1 WHERE version = 1 AND amount_fen > 0",
    "platform_balanced": "UPDATE account SET balance_fen = balance_fen + 1 WHERE purpose = 'withdrawable'",
    "balance_is_lines": "UPDATE account SET version = version + 1 WHERE purpose = 'withdrawable'",
    "chain": "UPDATE entry_line SET balance_after_fen = balance_after_fen + 1 WHERE version = 1",
    "minimum": "UPDATE entry_line SET balance_after_fen = -1 WHERE amount_fen = 100",
    "request_once": "DELETE FROM request WHERE entry_id IS NOT NULL",
    "recipe_allowed": "UPDATE entry SET recipe = 'commission_swept'",
    "basis_taken": "DELETE FROM basis_use",
    "open_day": "UPDATE entry SET accounting_day = accounting_day + 1",
    "custody_is_bank_lines": "UPDATE bank_line SET amount_fen = amount_fen + 1",
    "bank_line_posted_once": "UPDATE bank_line SET entry_id = NULL",
    "events_numbered": "DELETE FROM event WHERE sequence_no = 1",
    "order_escrow": """UPDATE business_object SET body = '{"paid_fen": 5}' WHERE kind = 'order'""",
    "ended_holds_nothing": "UPDATE business_object SET status = 'paid' WHERE kind = 'withdrawal'",
    "bases_hold": "UPDATE consent SET voided_at = now()",
    "bank_line_amount": "UPDATE entry SET effective_date = effective_date - 1 WHERE bank_serial_no <> ''",
    "order_figures": """UPDATE business_object SET body = body || '{"released_fen": 95, "commission_fen": 5}'
        WHERE body ? 'commission_fen'""",
    "escrow_classes": """UPDATE business_object SET body = jsonb_set(body, '{funding,0,source}', '"withdrawable"')
        WHERE object_no = 'D-3'""",
    "held_for_somebody": "UPDATE account SET ref = 'W-2' WHERE purpose = 'payout' AND ref = 'W-1'",
    "own_money": "UPDATE account SET member_no = 'O-2' WHERE purpose = 'pending' AND member_no = 'O-1'",
    "business_model": """UPDATE platform_config SET document = '{"business_model": "self_operated"}'""",
    "refund_to_source": """UPDATE entry_line SET account_id = (SELECT min(id) FROM account WHERE purpose = 'pending')
        WHERE amount_fen = 100 AND entry_id = (SELECT min(id) FROM entry WHERE recipe = 'order_refunded')""",
    "batch_legs": """UPDATE event SET body = jsonb_set(body, '{funding,0,amount_fen}', '61')
        WHERE event_type = 'order.paid' AND object_no = 'D-11'""",
    "body_is_events": "UPDATE business_object SET status = 'opened' WHERE status = 'closed'",
    "event_of_request": "DELETE FROM request WHERE entry_id IS NULL",
    "allow_list": "INSERT INTO recipe_rule VALUES ('pending_matured', 'fees', '+')",
    "guards_on": "ALTER TABLE entry DISABLE TRIGGER append_only",
    "payment_number": "UPDATE entry SET recipe = 'credit_suspended' WHERE recipe = 'collection_suspended'",
    "credited_as_consented": "UPDATE consent SET given_by = 'O-2' WHERE object_kind = 'pay_in'",
    "channel_gives_back": """UPDATE entry_line
        SET version = 99, account_id = (SELECT id FROM account WHERE ref = 'acquiring')
        WHERE amount_fen = 20 AND entry_id = (SELECT id FROM entry WHERE recipe = 'channel_refunded')""",
    "held_to_go_back": "UPDATE entry SET recipe = 'refund_credited' WHERE recipe = 'suspense_return_failed'",
    "refund_to_owner": """UPDATE entry_line
        SET version = 99, account_id = (SELECT id FROM account WHERE member_no = 'C-1' AND purpose = 'withdrawable')
        WHERE amount_fen = 400
        AND entry_id = (SELECT id FROM entry WHERE recipe = 'refund_credited')""",
    "suspense_explained": "UPDATE account SET ref = 'P-9' WHERE purpose = 'suspense' AND ref = 'P-2'",
    "payout_back": """UPDATE entry_line SET version = 99, account_id = (SELECT id FROM account WHERE purpose = 'own')
        WHERE amount_fen = 7 AND entry_id = (SELECT id FROM entry WHERE recipe = 'suspense_payout_failed')""",
    "suspense_sent_back": """UPDATE business_object SET body = body || '{"credit_no": "P-1"}'
        WHERE kind = 'withdrawal' AND body ? 'credit_no'""",
    "transfer_figures": """UPDATE business_object SET body = body || '{"amount_fen": 29}' WHERE kind = 'payment'""",
    "reversals": """UPDATE business_object SET body = body || '{"reversed_fen": 10}' WHERE kind = 'assignment'""",
    "no_sooner": "UPDATE account SET ref = '2026-02-27' WHERE purpose = 'pending' AND member_no = 'C-1'",
    "settlement_figures": """UPDATE business_object SET body = body || '{"fee_fen": 1}' WHERE kind = 'settlement'
        AND (body ->> 'net_of_fees')::boolean""",
    "line_kind": "UPDATE bank_line SET kind = 'inbound' WHERE kind = 'settlement'",
    "micro_deposits": "DELETE FROM verification_sending",
    "closed_member": "UPDATE business_object SET status = 'closed' WHERE kind = 'member'",
    "unfinished_moves": "INSERT INTO deadline VALUES ('HOME', 'order', 'D-2', 'start', now() - interval '11 minutes')",
    "words_answered": "UPDATE consent SET answered_at = answered_at - interval '1 second' WHERE asked",
    "answers_kept": """UPDATE request SET answer = '{"status": "refused"}' WHERE answer ? 'status'""",
    "limits_counted": "UPDATE counter SET amount_fen = amount_fen - 1",
    "consent_unaltered": """UPDATE consent SET terms = '{"milestone": 2}' WHERE terms = '{}'""",
}


async def some_business(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100, pending_day=CLOSED)
    serial_no = await booked_by_bank(owner, 50)
    own = recipes.own_credited(platform_no=HOME, amount_fen=50, bank_serial_no=serial_no, effective_date=DAY)
    await writer.post(posting(entry=own, bases=(Basis(kind="bank_line", reference=serial_no),)))
    released = await writer.post(matured("O-1", 40))
    held = recipes.withdrawal_requested(platform_no=HOME, member_no="O-1", withdrawal_no="W-1", amount_fen=30)
    change = Change(kind="withdrawal", object_no="W-1", event_type="withdrawal.held", status="held")
    basis = Basis(kind="release", reference=released.request_no)
    await writer.post(posting(entry=held, bases=(basis,), changes=(change,)))
    for status in ("opened", "closed"):
        await writer.post(posting(changes=(Change(kind="order", object_no="D-1", event_type="e", status=status),)))
    await an_order(owner, writer)
    await a_batch(owner, writer)
    await a_decision(owner, writer)
    await collected_business(owner, writer)


async def an_order(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """Frozen, half released at a commission of 3.33 %, the rest refunded."""
    await top_up(owner, writer, "O-1", 200)
    legs = (FundingLeg(source="withdrawable", amount_fen=200),)
    rest = (FundingLeg(source="withdrawable", amount_fen=100),)
    released = recipes.escrow_released(
        recipe="milestone_released",
        platform_no=HOME,
        owner_no="O-1",
        order_no="D-2",
        payee_no="C-1",
        gross_fen=100,
        commission_fen=3,
    )
    steps: list[tuple[JournalEntry, dict[str, Any]]] = [
        (
            recipes.order_frozen(platform_no=HOME, owner_no="O-1", order_no="D-2", legs=legs),
            {
                "paid_fen": 200,
                "contract": {"commission_basis_points": 333, "config_version": 1},
                "funding": [{"source": "withdrawable", "amount_fen": 200, "refunded_fen": 0}],
            },
        ),
        (released, {"released_fen": 97, "commission_fen": 3}),
        (
            recipes.order_refunded(platform_no=HOME, owner_no="O-1", order_no="D-2", parts=rest),
            {"refunded_fen": 100},
        ),
    ]
    for number, (entry, figures) in enumerate(steps):
        digest = await a_consent(owner, f"consent-{number}", object_no="D-2")
        change = Change(kind="order", object_no="D-2", event_type="e", status="some", body=figures)
        basis = Basis(kind="consent", reference=f"consent-{number}", operation_hash=digest)
        await writer.post(posting(entry=entry, bases=(basis,), changes=(change,)))


async def a_decision(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """A withdrawal that was asked for and counts on the limit of the day, as the books decide it."""
    await a_consent(owner, "consent-asked", object_no="W-3", object_kind="withdrawal", asked=True)
    body = {"member_no": "O-1", "counted_on": str(DAY), "principal_fen": 70}
    held = Change(kind="withdrawal", object_no="W-3", event_type="withdrawal.held", status="held", body=body)
    counter = CounterUse(name=f"withdrawal/O-1/{DAY}", add_fen=70, maximum_fen=None, limit="")
    asked = posting(changes=(held,))
    await writer.post(replace(asked, answers=("consent-asked",), answer={"status": "held"}, counters=(counter,)))


async def a_batch(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    """Two orders that are frozen by one entry."""
    await top_up(owner, writer, "O-1", 110)
    shares = [
        Share(order_no=number, payee_no="C-1", amount_fen=fen, inspection_days=7)
        for number, fen in (("D-11", 60), ("D-12", 50))
    ]
    legs = (FundingLeg(source="withdrawable", amount_fen=110),)
    terms = {"total_fen": 110}
    digest = await a_consent(owner, "consent-batch", object_no="B-1", object_kind="batch_payment", terms=terms)
    changes = tuple(
        Change(
            kind="order",
            object_no=share.order_no,
            event_type="order.paid",
            status="some",
            body={
                "paid_fen": share.amount_fen,
                "funding": [{"source": "withdrawable", "amount_fen": share.amount_fen, "refunded_fen": 0}],
                "contract": {"commission_basis_points": 0},
            },
        )
        for share in shares
    )
    entry = batch_frozen(platform_no=HOME, owner_no="O-1", legs=legs, shares=shares)
    basis = Basis(kind="consent", reference="consent-batch", operation_hash=digest)
    batch = Change(kind="batch_payment", object_no="B-1", event_type="batch_payment.paid", status="paid")
    await writer.post(posting(entry=entry, bases=(basis,), changes=(batch, *changes)))


async def test_sound_books_break_nothing(database: Database, owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await some_business(owner, writer)
    recorder = await connect(database.dsn)
    try:
        assert await check_invariants(recorder) == []
        assert await check_invariants(recorder, HOME) == []
    finally:
        await recorder.close()


@pytest.mark.parametrize("invariant", FAULTS)
async def test_a_planted_fault_is_named(
    database: Database, owner: asyncpg.Connection, writer: LedgerWriter, invariant: str
) -> None:
    await some_business(owner, writer)
    superuser = await asyncpg.connect(database.superuser_dsn)
    try:
        # Triggers off: only a superuser can go past the guards.
        await superuser.execute("SET session_replication_role = replica")
        assert not (await superuser.execute(FAULTS[invariant])).endswith(" 0")
        violations = await check_invariants(superuser, HOME)
        assert invariant in {violation.invariant for violation in violations}
        assert all(violation.row["platform_no"] == HOME and HOME in str(violation) for violation in violations)
        assert await check_invariants(superuser, "OTHER") == []
    finally:
        await superuser.close()


@pytest.mark.parametrize(
    ("kind", "status", "body", "hours"),
    [
        ("pay_in", "opened", {"expires_at": "{moment}"}, 24),
        ("pay_in", "processing", {"expires_at": "{moment}", "returns": [{"outcome": "failed"}]}, 24),
        ("pay_in", "closed", {"returns": [{"outcome": "held", "held_at": "{moment}"}]}, 24),
        ("pay_in", "paid", {"payments": [{"suspended_fen": 1}]}, 24),
        ("refund", "under_way", {"begun_at": "{moment}"}, 24),
        ("refund", "under_way", {}, 24),
        ("batch_payment", "awaiting_payment", {}, 0),
    ],
)
async def test_what_a_channel_does_not_end_is_named_unless_an_operator_was_called(
    database: Database, owner: asyncpg.Connection, kind: str, status: str, body: dict[str, Any], hours: int
) -> None:
    await open_day(owner)
    superuser = await asyncpg.connect(database.superuser_dsn)

    async def named(ago: timedelta, **more: str) -> list[Any]:
        moment = await superuser.fetchval("SELECT now() - $1::interval", ago)
        await superuser.execute(
            "INSERT INTO business_object VALUES ($1, $2, 'X-1', 1, $3, $4, $5, $5) ON CONFLICT (platform_no, kind,"
            " object_no) DO UPDATE SET body = excluded.body, created_at = $5, updated_at = $5",
            HOME,
            kind,
            status,
            json.dumps(body | more).replace("{moment}", moment.isoformat()),
            moment,
        )
        found = await check_invariants(superuser, HOME)
        return [(item.row["kind"], item.row["object_no"]) for item in found if item.invariant == "unfinished_moves"]

    try:
        await superuser.execute("SET session_replication_role = replica")
        a_channel_has = timedelta(hours=hours)
        assert await named(a_channel_has + timedelta(minutes=9)) == []
        assert await named(a_channel_has + timedelta(minutes=11)) == [(kind, "X-1")]
        assert await named(a_channel_has + timedelta(minutes=11), attention="ask the bank") == []
    finally:
        await superuser.close()


async def test_a_batch_waits_as_long_as_something_collects_for_it(
    database: Database, owner: asyncpg.Connection
) -> None:
    await open_day(owner)
    superuser = await asyncpg.connect(database.superuser_dsn)

    async def named(status: str, watched_until: str = "") -> bool:
        await superuser.execute(
            "INSERT INTO business_object VALUES ($1, 'pay_in', 'B-1:batch-pay', 1, $2, jsonb_build_object("
            "'watched_until', $3::text, 'expires_at', now()), now() - interval '1 day', now() - interval '1 hour')"
            " ON CONFLICT (platform_no, kind, object_no) DO UPDATE SET status = $2, body = excluded.body",
            HOME,
            status,
            watched_until,
        )
        found = await check_invariants(superuser, HOME)
        return "B-1" in [item.row["object_no"] for item in found if item.invariant == "unfinished_moves"]

    try:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(
            "INSERT INTO business_object VALUES ($1, 'batch_payment', 'B-1', 1, 'awaiting_payment', '{}',"
            " now() - interval '1 day', now() - interval '1 day')",
            HOME,
        )
        now = await superuser.fetchval("SELECT now()")
        assert not await named("awaiting_payer")
        assert not await named("closed", (now + timedelta(days=1)).isoformat())
        assert not await named("closed", (now - timedelta(minutes=9)).isoformat())
        assert await named("closed", (now - timedelta(minutes=11)).isoformat())
        assert await named("failed")
    finally:
        await superuser.close()


async def test_two_bank_lines_that_changed_places_are_named(
    database: Database, owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await some_business(owner, writer)
    superuser = await asyncpg.connect(database.superuser_dsn)
    try:
        await superuser.execute("UPDATE bank_line SET amount_fen = 150 - amount_fen WHERE amount_fen IN (50, 100)")
        names = {violation.invariant for violation in await check_invariants(superuser, HOME)}
        assert names == {"bank_line_amount"}, "their sum is still that of the custody account"
    finally:
        await superuser.close()


async def test_the_guards_that_are_looked_for_are_all_guards_there_are(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT tgrelid::regclass || '.' || tgname AS name FROM pg_trigger WHERE NOT tgisinternal")
    guards = next(invariant for invariant in EVIDENCE if invariant.name == "guards_on")
    assert {row["name"] for row in rows} == set(guards.parameters[0])


def test_every_invariant_has_a_planted_fault() -> None:
    assert set(FAULTS) == set(INVARIANT_NAMES)
