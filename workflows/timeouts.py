"""How long we wait for what, and how often we try again: every time-out and retry policy, named by its purpose."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy


class Timeouts(TypedDict, total=False):
    """Options of an activity call, as `workflow.execute_activity_method` takes them."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


class LocalTimeouts(TypedDict, total=False):
    """Options of a local activity call."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    retry_policy: RetryPolicy


#: A worker that died in the middle of a workflow task, local activities included, is replaced after this long; the
#: server's default of 10 s is as long as a caller waits for an answer.
WORKFLOW_TASK = timedelta(seconds=5)

#: While the ledger is away a posting is tried again at least this often: so soon after its return all goes on.
_LEDGER_ASKED_EVERY = timedelta(seconds=3)

#: One database transaction that moves money. A repeat is answered from the stored receipt, so it is safe to insist.
LEDGER_POSTING = Timeouts(
    start_to_close_timeout=timedelta(seconds=5),
    schedule_to_close_timeout=timedelta(minutes=10),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_interval=_LEDGER_ASKED_EVERY),
)

#: One database transaction that changes objects but moves no money; run inside the workflow task (three events fewer).
LEDGER_RECORD = LocalTimeouts(
    start_to_close_timeout=timedelta(seconds=5),
    schedule_to_close_timeout=timedelta(minutes=10),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_interval=_LEDGER_ASKED_EVERY),
)

#: A question to the books inside the workflow task: twice, then it goes on outside of it.
TAKE = LocalTimeouts(
    start_to_close_timeout=timedelta(seconds=4),
    schedule_to_close_timeout=timedelta(seconds=9),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_attempts=2),
)

#: What time it is by the books: asked inside the workflow task, not for long, since a task has its own time-out.
BOOKS_TIME = LocalTimeouts(
    start_to_close_timeout=timedelta(seconds=3),
    schedule_to_close_timeout=timedelta(seconds=4),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_attempts=3),
)

#: The same while the ledger is away: outside of the workflow task, and for as long as it takes.
BOOKS_TIME_AWAITED = Timeouts(
    start_to_close_timeout=timedelta(seconds=5),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_interval=_LEDGER_ASKED_EVERY),
)

#: A payment order leaves for the bank: tried once; whatever ends it without an answer is asked about, never resent.
BANK_SUBMISSION = Timeouts(
    start_to_close_timeout=timedelta(seconds=20),
    heartbeat_timeout=timedelta(seconds=2),
    retry_policy=RetryPolicy(maximum_attempts=1),
)

#: A question to the bank changes nothing there, so it may be asked again at once.
BANK_QUESTION = Timeouts(
    start_to_close_timeout=timedelta(seconds=10),
    heartbeat_timeout=timedelta(seconds=2),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=0.2), maximum_interval=timedelta(seconds=10), maximum_attempts=4
    ),
)

#: A text that is due by the books, deduplicated by its request number: some tries at once, then its process waits
#: before it tries again. Nothing else waits for it.
SMS = Timeouts(
    start_to_close_timeout=timedelta(seconds=10),
    heartbeat_timeout=timedelta(seconds=2),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_attempts=4),
)

#: The reminder on which silence stands: tried for a minute at once, then an operator is called.
REMINDER = Timeouts(
    start_to_close_timeout=timedelta(seconds=10),
    heartbeat_timeout=timedelta(seconds=2),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(minutes=1), maximum_attempts=8
    ),
)

#: After the retries of a step are exhausted it waits for an operator, and tries by itself this much later.
OPERATOR_MAY_TAKE = timedelta(hours=1)

#: A step that is tried until it succeeds is tried again after this long, then twice as long, up to `OPERATOR_MAY_TAKE`.
STEP_FIRST_TRIED_AGAIN_AFTER = timedelta(minutes=1)

#: What was asked in vain is asked again after this long, then twice as long, up to the maximum; when that has gone on
#: for a day and an operator was called, less and less often, up to hours.
ASKED_AGAIN_AFTER = timedelta(seconds=5)
ASKED_AT_MOST_EVERY = timedelta(minutes=5)
ASKED_DAILY_AT_MOST_EVERY = timedelta(hours=6)

#: An identity registry that does not answer is asked again after this long, then twice as long, up to the maximum,
#: until the books say that it is enough.
REGISTRY_FIRST_ASKED_AGAIN_AFTER = timedelta(seconds=10)
REGISTRY_ASKED_AT_MOST_EVERY = timedelta(minutes=30)

#: The channel is asked and what it says is posted, in one step that may be repeated at will.
CHANNEL_BOOKING = Timeouts(
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=timedelta(minutes=10),
    heartbeat_timeout=timedelta(seconds=2),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_interval=_LEDGER_ASKED_EVERY),
)

#: A step of a collection: the channel is asked, or asked about what it was asked, and what it says is posted; it may be
#: repeated at will, and after a while its process waits before it tries again.
CHANNEL_STEP = Timeouts(
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=timedelta(minutes=1),
    heartbeat_timeout=timedelta(seconds=2),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_interval=_LEDGER_ASKED_EVERY),
)

#: How often a collection that has ended is asked about payments that came late.
LATE_PAYMENTS_ASKED_EVERY = timedelta(hours=1)

#: One round, as long as it makes headway; what failed is done in the next one.
GOING_ROUND = Timeouts(
    start_to_close_timeout=timedelta(minutes=5),
    heartbeat_timeout=timedelta(seconds=10),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3),
)

#: The same for an operator, who waits for the answer.
TAKING_UP = Timeouts(
    start_to_close_timeout=timedelta(minutes=1),
    schedule_to_close_timeout=timedelta(minutes=2),
    heartbeat_timeout=timedelta(seconds=10),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_attempts=3),
)
