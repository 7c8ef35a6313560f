"""The schema: up, down and up again, equal to the tables in code, with the recipes of the code."""

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from escrow.domain.money.recipes import RECIPES
from escrow.ledger import tables
from escrow.ledger.engine import sqlalchemy_url
from escrow.ledger.posting import LedgerWriter
from escrow.migrations.migrate import downgrade, migrate
from escrow.registry import tables as registry_tables
from escrow.registry.platforms import operator_tables
from escrow.stack.postgres import PostgresServer
from tests.ledger.books import open_day, top_up
from tests.postgres import new_database

_OURS = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
_FUNCTIONS = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"


async def test_the_schema_goes_up_and_down_and_up_again(server: PostgresServer) -> None:
    database = await new_database(server, migrated=False)
    connection = await asyncpg.connect(database.dsn)
    for _ in range(2):
        await migrate(database.dsn)
        await migrate(database.dsn)  # a second time changes nothing
        await open_day(connection)
        writer = await LedgerWriter.start(database.dsn)
        await top_up(connection, writer, "O-1", 100)
        await writer.close()
        await downgrade(database.dsn)
        remaining = await connection.fetchval(_OURS), await connection.fetchval(_FUNCTIONS)
        assert [name for name in remaining if name] == [1]  # the primary key of Alembic's own table
    await connection.close()


async def test_the_tables_in_code_are_the_tables_in_the_database(server: PostgresServer) -> None:
    database = await new_database(server)
    assert tables.Account.metadata is registry_tables.MemberRow.metadata is SQLModel.metadata
    assert operator_tables.OperatorKeyRow.metadata is SQLModel.metadata
    engine = create_async_engine(sqlalchemy_url(database.dsn))

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_the_database_allows_exactly_the_recipes_of_the_code(server: PostgresServer) -> None:
    database = await new_database(server)
    connection = await asyncpg.connect(database.dsn)
    rules = {tuple(row) for row in await connection.fetch("SELECT recipe, purpose, direction FROM recipe_rule")}
    kinds = {row["recipe"]: set(row["basis_kinds"]) for row in await connection.fetch("SELECT * FROM recipe")}
    await connection.close()
    assert rules == {(name, *move) for name, rule in RECIPES.items() for move in rule.moves}
    assert kinds == {name: set(rule.basis_kinds) for name, rule in RECIPES.items()}


async def test_orders_that_were_paid_before_claims_were_known_are_claimed_by_what_ended_their_wait(
    server: PostgresServer,
) -> None:
    database = await new_database(server, migrated=False)
    await migrate(database.dsn, revision="0006")
    connection = await asyncpg.connect(database.dsn)
    lives = {"D-1": ["awaiting_payment", "awaiting_start", "cancelled"], "D-2": ["awaiting_payment"]}
    for order_no, statuses in lives.items():
        for number, status in enumerate(statuses, start=1):
            await connection.execute(
                "INSERT INTO event (platform_no, kind, object_no, sequence_no, event_type, status, body, occurred_at,"
                " request_no) VALUES ('HOME', 'order', $1, $2, 'e', $3, '{}', now(), $4)",
                order_no,
                number,
                status,
                f"{order_no}:{number}",
            )

    await migrate(database.dsn)

    claims = [tuple(row) for row in await connection.fetch("SELECT name, request_no FROM claim")]
    await connection.close()
    assert claims == [("order/D-1/unpaid", "D-1:2")]


async def test_money_is_posted_under_the_schema_before_the_books_time_and_again_after_it(
    server: PostgresServer,
) -> None:
    database = await new_database(server)
    owner = await asyncpg.connect(database.dsn)
    await open_day(owner)
    writer = await LedgerWriter.start(database.dsn)
    try:
        await top_up(owner, writer, "O-1", 100)
        await downgrade(database.dsn, revision="0009")
        await top_up(owner, writer, "O-1", 200)
        assert "books_now" not in await owner.fetchval(
            "SELECT string_agg(prosrc, '') FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )
        await migrate(database.dsn)
        await top_up(owner, writer, "O-1", 300)
    finally:
        await writer.close()
    assert await owner.fetchval("SELECT balance_fen FROM account WHERE member_no = 'O-1'") == 600
    await owner.close()
