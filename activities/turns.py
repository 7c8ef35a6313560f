"""One at a time: what would be sent or asked twice when an activity runs twice at once.

The books know what was sent and answered before; between asking the bank and writing down what it said, a second run of
the same activity would ask again. Nobody waits for a turn, since whoever begins many runs would have all of them wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from escrow.domain.errors import LedgerBusy


class Turns:
    """Turns of this process, by name."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    @contextmanager
    def taken(self, *names: str) -> Iterator[None]:
        """Be the only one under a name while the block runs.

        Raises:
            LedgerBusy: somebody else is; what it does is found when it has done.
        """
        name = "/".join(names)
        if name in self._taken:
            raise LedgerBusy("ledger_busy", "This is just being done; look again.")
        self._taken.add(name)
        try:
            yield
        finally:
            self._taken.remove(name)
