"""When the suite's stories begin: on an ordinary morning, or elsewhere by `pytest --begin-at`."""

import os
from datetime import UTC, datetime

from escrow.sandbox.moments import begin_of_story

_CHOSEN = "ESCROW_TESTS_BEGIN_AT"


def choose(text: str) -> None:
    """Let every story begin there that says nothing of it; in child processes too.

    Raises:
        ValueError: the text means nothing.
    """
    begin_of_story(text, datetime.now(UTC))
    os.environ[_CHOSEN] = text


def beginning(text: str = "") -> datetime:
    """The moment that a text means; without one what was chosen, else the next ordinary working day at ten."""
    return begin_of_story(text or os.environ.get(_CHOSEN, ""), datetime.now(UTC))
