"""What the books keep of the rounds that are made."""

from escrow.ledger.engine import Reader
from escrow.ledger.progress import ObjectKey
from escrow.ledger.rounds_made import count_late, round_was_made
from tests.ledger.books import HOME

LATE = ObjectKey(platform_no=HOME, kind="order", object_no="D-1")


async def test_a_round_that_is_made_twice_since_its_worker_was_killed_counts_once(reader: Reader) -> None:
    assert [await count_late(reader, LATE), await count_late(reader, LATE)] == [1, 1]
    for count in (2, 3):
        await round_was_made(reader, None)
        assert [await count_late(reader, LATE), await count_late(reader, LATE)] == [count, count]
