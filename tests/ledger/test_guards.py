"""What the database itself refuses, whoever asks."""

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.accounts import AccountKey, own, pending, withdrawable
from escrow.domain.money.journal import Basis, JournalEntry, JournalLine
from escrow.ledger.engine import connect
from escrow.ledger.posting import LedgerWriter, post_on
from tests.ledger.books import CLOSED, DAY, HOME, matured, open_day, posting, top_up
from tests.postgres import Database

BOOKS = ["entry", "entry_line", "event", "request", "basis_use"]
EVERYTHING = [*BOOKS, "account", "business_object", "deadline", "bank_line", "recipe", "recipe_rule"]


@pytest.mark.parametrize("table", BOOKS)
@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
async def test_even_the_owner_of_the_tables_cannot_change_what_was_booked(
    owner: asyncpg.Connection, writer: LedgerWriter, table: str, statement: str
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100)
    column = "account_id" if table == "entry_line" else "platform_no"
    with pytest.raises(asyncpg.PostgresError, match="append-only") as refusal:
        await owner.execute(statement.format(table, column))
    assert refusal.value.sqlstate == "ES002"


@pytest.mark.parametrize("table", ["account", "business_object", "consent", "bank_line", "platform_day"])
@pytest.mark.parametrize("statement", ["DELETE FROM {0}", "TRUNCATE {0}"])
async def test_nothing_that_money_hangs_on_can_be_deleted(
    owner: asyncpg.Connection, table: str, statement: str
) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute(statement.format(table))


@pytest.mark.parametrize("table", EVERYTHING)
async def test_the_application_cannot_write_past_the_posting_function(database: Database, table: str) -> None:
    connection = await connect(database.dsn)
    try:
        assert await connection.fetchval("SELECT current_user") == "escrow_app"
        assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        column = await connection.fetchval(
            "SELECT min(column_name) FROM information_schema.columns WHERE table_name = $1 AND is_identity = 'NO'",
            table,
        )
        forbidden = [f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}", f"TRUNCATE {table}"]
        if table != "bank_line":  # which the application keeps as the bank reports it
            forbidden.append(f"INSERT INTO {table} DEFAULT VALUES")
        for statement in forbidden:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_application_cannot_call_the_parts_of_the_posting_function(database: Database) -> None:
    connection = await connect(database.dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT post_deadlines('{}')")
    finally:
        await connection.close()


async def entry_by_hand(
    owner: asyncpg.Connection, *lines: tuple[str, int, int], recipe: str = "pending_matured"
) -> None:
    """Insert an entry past the posting function: (purpose, amount, balance after) on accounts of member O-1."""
    async with owner.transaction():
        await owner.execute(
            "INSERT INTO entry (id, platform_no, request_no, recipe, accounting_day, effective_date, occurred_at)"
            " VALUES (999, $1, 'by hand', $2, $3, $3, now())",
            HOME,
            recipe,
            DAY,
        )
        await owner.execute(
            "INSERT INTO entry_line (entry_id, account_id, accounting_day, version, amount_fen, balance_after_fen)"
            " SELECT 999, a.id, $1, a.version, l.amount, l.after FROM unnest($2::text[], $3::bigint[], $4::bigint[])"
            " AS l(purpose, amount, after) JOIN account a ON a.purpose = l.purpose",
            DAY,
            [line[0] for line in lines],
            [line[1] for line in lines],
            [line[2] for line in lines],
        )


@pytest.mark.parametrize(
    ("lines", "recipe", "code"),
    [
        ([("pending", -10, 90), ("withdrawable", 9, 9)], "pending_matured", "unbalanced"),
        ([("pending", -10, 90)], "pending_matured", "unbalanced"),
        ([("pending", 10, 110), ("withdrawable", -10, -10)], "pending_matured", "recipe_forbidden"),
        ([("pending", -10, 90), ("withdrawable", 10, 10)], "commission_swept", "recipe_forbidden"),
        ([("pending", -110, -10), ("withdrawable", 110, 110)], "pending_matured", "insufficient_balance"),
        ([("pending", -10, 90), ("withdrawable", 10, 10)], "pending_matured", "unbalanced"),
    ],
    ids=["sum not zero", "one line", "wrong direction", "another recipe", "below minimum", "not the balance"],
)
async def test_lines_inserted_by_hand_are_checked_by_the_database(
    owner: asyncpg.Connection, writer: LedgerWriter, lines: list[tuple[str, int, int]], recipe: str, code: str
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100, pending_day=CLOSED)
    await top_up(owner, writer, "O-1", 1)
    await owner.execute("UPDATE account SET version = version + 1")
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await entry_by_hand(owner, *lines, recipe=recipe)
    assert (refusal.value.sqlstate, refusal.value.constraint_name) == ("ES001", code)


async def test_a_balance_cannot_be_set_below_its_minimum(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100)
    with pytest.raises(asyncpg.CheckViolationError, match="account_minimum"):
        await owner.execute("UPDATE account SET balance_fen = -1 WHERE purpose = 'withdrawable'")
    with pytest.raises(asyncpg.CheckViolationError, match="account_without_minimum"):
        await owner.execute("UPDATE account SET min_balance_fen = NULL WHERE purpose = 'withdrawable'")


@pytest.mark.parametrize(
    ("moves", "code"),
    [
        ([(pending(HOME, "O-1", "2026-03-01"), -10), (withdrawable(HOME, "O-1"), 9)], "unbalanced"),
        ([(pending(HOME, "O-1", "2026-03-01"), -10), (own(HOME), 10)], "recipe_forbidden"),
        ([(withdrawable(HOME, "O-1"), -1), (pending(HOME, "O-1", "2026-03-01"), 1)], "recipe_forbidden"),
        ([(pending(HOME, "O-1", "2026-03-01"), -10), (withdrawable("OTHER", "O-1"), 10)], "recipe_forbidden"),
    ],
)
async def test_a_forged_entry_is_refused_by_the_posting_function(
    owner: asyncpg.Connection, writer: LedgerWriter, database: Database, moves: list[tuple[AccountKey, int]], code: str
) -> None:
    await open_day(owner)
    await open_day(owner, "OTHER")
    await top_up(owner, writer, "O-1", 100, pending_day=CLOSED)
    await top_up(owner, writer, "O-1", 100)
    lines = tuple(JournalLine(account=account, amount_fen=amount) for account, amount in moves)
    forged = posting(entry=JournalEntry(recipe="pending_matured", lines=lines), bases=(Basis(kind="none"),))
    connection = await connect(database.dsn)
    try:
        with pytest.raises(Refused) as refusal:
            await post_on(connection, [forged])
    finally:
        await connection.close()
    assert refusal.value.code == code


async def test_pending_money_of_an_open_day_does_not_mature(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100, pending_day=DAY)
    with pytest.raises(Refused) as refusal:
        await writer.post(matured("O-1", 100, day=DAY))
    assert refusal.value.code == "basis_not_due"


async def test_a_refusal_names_the_account(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100, pending_day=CLOSED)
    with pytest.raises(Refused) as refusal:
        await writer.post(matured("O-1", 101))
    assert refusal.value.details == {"account": "O-1/pending:2026-03-01"}


async def test_an_accounting_day_never_goes_back(owner: asyncpg.Connection) -> None:
    await open_day(owner)
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await owner.execute("UPDATE platform_day SET day = day - 1")
    assert refusal.value.constraint_name == "day_closed"


async def test_a_closed_day_takes_no_more_entries(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100, pending_day=CLOSED)
    await owner.execute("UPDATE platform_day SET day = day + 1")
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await entry_by_hand(owner)
    assert refusal.value.constraint_name == "day_closed"
