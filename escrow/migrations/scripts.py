"""Running the SQL files beside the migrations."""

import re
from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy import text

_FOLDER = Path(__file__).parent / "sql"


def run_sql_file(name: str) -> None:
    """Run all statements of `sql/{name}` on the migration's connection, inside its transaction."""
    connection = op.get_bind()
    connection.execute(text("SELECT 1"))  # the driver begins the transaction with the first statement that it sees
    script = (_FOLDER / name).read_text(encoding="utf-8")
    driver: Any = connection.connection.dbapi_connection  # SQLAlchemy's adapter of an asyncpg connection
    driver.run_async(lambda asyncpg_connection: asyncpg_connection.execute(script))


def sql_functions(name: str) -> dict[str, str]:
    """The functions in `sql/{name}` by their names, each as a statement that makes it as it stands there."""
    script = (_FOLDER / name).read_text(encoding="utf-8")
    found = re.findall(r"^CREATE (?:OR REPLACE )?(FUNCTION (\w+)\(.*?^END \$\$;)$", script, re.MULTILINE | re.DOTALL)
    return {function: f"CREATE OR REPLACE {text}" for text, function in found}
