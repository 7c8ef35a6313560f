"""The keys of a stack: made once, one file each, named like the setting that reads it.

`escrow up` keeps them beside its data; in containers `python -m escrow.stack.keys FOLDER` makes them in a volume
that the others mount, and ESCROW_KEYS_FOLDER tells their settings where.
"""

import os
import secrets
import sys
from pathlib import Path
from urllib.parse import quote

#: Settings that are keys, each 32 random bytes as hexadecimal digits.
KEY_NAMES = ("escrow_bank_key", "escrow_data_key", "escrow_index_key")

#: Variable that names the folder of the key files, where keys are not given as variables of their own.
KEYS_FOLDER_VARIABLE = "ESCROW_KEYS_FOLDER"


def load_or_make_keys(folder: Path, *, mode: int = 0o600) -> dict[str, str]:
    """Keys by environment variable; those that have no file yet are made.

    Losing the files loses the personal data sealed with them: they belong into every copy of the data.

    Args:
        folder: made when missing.
        mode: permissions of a new file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {name.upper(): _read_or_make(folder / name, secrets.token_hex(32), mode) for name in KEY_NAMES}


def make_database_password(folder: Path, *, user: str, host: str, database: str, mode: int) -> None:
    """Password file of the role `user`, and the DATABASE_URL that holds it, for a PostgreSQL server on `host`."""
    password = _read_or_make(folder / "database_password", secrets.token_urlsafe(24), mode)
    _read_or_make(folder / "database_url", f"postgresql://{user}:{quote(password)}@{host}/{database}", mode)


def _read_or_make(path: Path, text: str, mode: int) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    return path.read_text().strip()


if __name__ == "__main__":
    # The volume is mounted by our containers alone, and they run as different users.
    load_or_make_keys(Path(sys.argv[1]), mode=0o444)
    make_database_password(Path(sys.argv[1]), user="escrow_owner", host="postgres", database="escrow", mode=0o444)
