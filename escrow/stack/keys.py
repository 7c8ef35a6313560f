"""The keys of a stack on one machine: made once, kept beside its data, readable by their owner alone."""

import json
import os
import secrets
from pathlib import Path

#: Variables of `escrow.settings` that are keys, each 32 random bytes as hexadecimal digits.
KEY_VARIABLES = ("ESCROW_BANK_KEY", "ESCROW_DATA_KEY", "ESCROW_INDEX_KEY")


def load_or_make_keys(path: Path) -> dict[str, str]:
    """Keys by environment variable; the file is made with mode 0600 when it does not exist.

    Losing the file loses the personal data sealed with them: it belongs into every copy of the data folder.
    """
    if not path.exists():
        keys = {name: secrets.token_hex(32) for name in KEY_VARIABLES}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(keys, file, indent=2)
    found: dict[str, str] = json.loads(path.read_text())
    return found
