"""Bringing a database to the newest schema, or down again, and loading the recipes it allows."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from escrow.domain.errors import Refused
from escrow.domain.money.recipes import RECIPES
from escrow.ledger.engine import APPLICATION_ROLE, sqlalchemy_url

_SCRIPTS = Path(__file__).parent
#: Two processes that migrate at once wait for each other; any number that nobody else locks.
_MIGRATION_LOCK = 7_302_019


async def migrate(dsn: str, *, revision: str = "head", sandbox: bool = False, in_use: bool = False) -> None:
    """Create or upgrade the schema, the application's role and the allow-list of recipes; repeatable.

    Args:
        dsn: database URL of the role that owns the tables; it needs CREATEROLE the first time.
        revision: how far; the newest by default.
        sandbox: mark the books as a sandbox's, in which platforms may run ahead of time; for ever.
        in_use: even when they hold postings, as those of a sandbox of the first release do.

    Raises:
        Refused: `books_in_use`, they hold postings and were never marked; nothing was changed.
    """
    await _run(dsn, lambda config: command.upgrade(config, revision), load_recipes=True)
    if sandbox:
        await _mark_sandbox(dsn, in_use=in_use)


async def downgrade(dsn: str, *, revision: str = "base") -> None:
    """Take the schema down to `revision`: everything by default. The role stays, it belongs to the whole server."""
    await _run(dsn, lambda config: command.downgrade(config, revision), load_recipes=False)


async def _run(dsn: str, step: Callable[[Config], None], *, load_recipes: bool) -> None:
    engine = create_async_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await _ensure_role(connection)
            await connection.run_sync(_alembic, step)
            if load_recipes:
                await _load_recipes(connection)
    finally:
        await engine.dispose()


async def _mark_sandbox(dsn: str, *, in_use: bool) -> None:
    """Books that hold postings are marked on demand only: a wrong address must not make real money's time movable."""
    engine = create_async_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            state = "SELECT EXISTS (SELECT FROM sandbox_stack), EXISTS (SELECT FROM request LIMIT 1)"
            marked, holds_postings = (await connection.execute(text(state))).one()
            if holds_postings and not (marked or in_use):
                raise Refused(
                    "books_in_use",
                    "These books hold postings and were never a sandbox's, so their time is not made movable. "
                    "Begin a sandbox with books of its own; for a sandbox of the first release say --in-use.",
                )
            await connection.execute(text("INSERT INTO sandbox_stack DEFAULT VALUES ON CONFLICT DO NOTHING"))
    finally:
        await engine.dispose()


def _alembic(connection: Connection, step: Callable[[Config], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    step(config)


async def _ensure_role(connection: AsyncConnection) -> None:
    known = await connection.scalar(text("SELECT true FROM pg_roles WHERE rolname = :role"), {"role": APPLICATION_ROLE})
    if not known:
        await connection.execute(text(f"CREATE ROLE {APPLICATION_ROLE} LOGIN"))
        await connection.execute(text(f"GRANT {APPLICATION_ROLE} TO CURRENT_USER"))


async def _load_recipes(connection: AsyncConnection) -> None:
    if not await connection.scalar(text("SELECT to_regclass('recipe_rule')")):
        return  # an older revision was asked for, from before there were recipes
    rules = [
        {"recipe": name, "purpose": purpose.value, "direction": direction}
        for name, rule in RECIPES.items()
        for purpose, direction in rule.moves
    ]
    recipes = [{"recipe": name, "kinds": sorted(rule.basis_kinds)} for name, rule in RECIPES.items()]
    await connection.execute(text("DELETE FROM recipe_rule"))
    await connection.execute(text("DELETE FROM recipe"))
    await connection.execute(text("INSERT INTO recipe (recipe, basis_kinds) VALUES (:recipe, :kinds)"), recipes)
    await connection.execute(
        text("INSERT INTO recipe_rule (recipe, purpose, direction) VALUES (:recipe, :purpose, :direction)"), rules
    )
