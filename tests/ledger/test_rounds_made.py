"""What the books keep of the rounds that are made."""

from datetime import UTC, datetime, timedelta

from escrow.ledger.engine import Recorder
from escrow.ledger.progress import ObjectKey
from escrow.ledger.rounds_made import count_late
from tests.ledger.books import HOME

LATE = ObjectKey(platform_no=HOME, kind="order", object_no="D-1")
BEGUN_AT = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


async def test_a_round_that_is_made_twice_since_its_worker_was_killed_counts_once(recorder: Recorder) -> None:
    for count in (1, 2, 3):
        begun_at = BEGUN_AT + count * timedelta(minutes=1)
        assert [await count_late(recorder, LATE, round_begun_at=begun_at) for _ in range(2)] == [count, count]
