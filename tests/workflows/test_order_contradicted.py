"""Forty contradict each other about one order: half through its process, half at the books from other processes."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from temporalio.client import WorkflowUpdateFailedError

from activities.failures import from_temporal
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.domain.orders.view import OrderView
from escrow.ledger.books import Books, see
from tests.ledger.orders import Wanted, all_at_once, books_of_another_process, done_there
from tests.story import Story
from tests.story_ground import OWNER, REQUESTS
from workflows.messages import CommandResult, PartyMessage

_STAGE = 2
#: What becomes of the stage and of the money by the one word that is obeyed.
_OBEYED = {
    Operation.ACCEPT: (
        "order.milestone_released",
        {"C-1/withdrawable": "106,020.00", "O-1/escrow:D-1001": "74,400.00", "fees": "5,580.00"},
    ),
    Operation.RECTIFY: (
        "order.rectification_requested",
        {"C-1/withdrawable": "53,010.00", "O-1/escrow:D-1001": "130,200.00", "fees": "2,790.00"},
    ),
}


async def through_the_process(story: Story, words: Sequence[PartyCommand]) -> list[str]:
    """What the order's process answers to each, given all at once as the API gives them: `done`, or why not."""
    return await asyncio.gather(*(_answered(story, word) for word in words))


async def _answered(story: Story, word: PartyCommand) -> str:
    message = PartyMessage(request_no=word.request_no, by=word.by, milestone=word.milestone)
    try:
        result: CommandResult = await story.order.execute_update(
            word.operation.value, message, id=f"{word.request_no}-{next(REQUESTS)}", result_type=CommandResult
        )
    except WorkflowUpdateFailedError as error:
        refusal = from_temporal(error.cause)
        if refusal is None:
            raise
        return refusal.code
    assert result.request_no == word.request_no
    return "done"


async def test_of_forty_at_the_process_and_at_the_books_one_is_obeyed_and_all_are_told_the_truth(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(_STAGE)
    before = [event.event_type for event in await story.events("order", "D-1001")]
    words = [await _said(story, (Operation.ACCEPT, Operation.RECTIFY)[number % 2]) for number in range(40)]
    to_process, here, there = words[:20], words[20:30], words[30:]

    dsn = story.stage.database.dsn
    async with books_of_another_process(dsn) as one, books_of_another_process(dsn) as another:
        told = await asyncio.gather(
            through_the_process(story, to_process),
            done_there(one, _wanted(story, here)),
            done_there(another, _wanted(story, there)),
        )

    by_word = dict(zip([word.request_no for word in words], [answer for part in told for answer in part], strict=True))
    assert Counter(by_word.values()) == {"done": 1, "order_state": 39}
    (obeyed,) = (word for word in words if by_word[word.request_no] == "done")
    event, balances = _OBEYED[obeyed.operation]
    assert [item.event_type for item in await story.events("order", "D-1001")] == [*before, event]
    assert await story.balances() == balances

    # Each is told the same again, now by those whom it had not asked.
    books = Books(story.stage.writer, story.stage.recorder)
    again = await all_at_once(books, _wanted(story, to_process)), await through_the_process(story, [*here, *there])
    assert [*again[0], *again[1]] == list(by_word.values())
    assert await story.balances() == balances
    await _process_sees_what_the_books_have(story)


async def _said(story: Story, operation: Operation) -> PartyCommand:
    message = await story.consents(operation, OWNER, milestone=_STAGE, asked=True)
    return PartyCommand(operation=operation, request_no=message.request_no, by=OWNER, milestone=_STAGE)


def _wanted(story: Story, words: list[PartyCommand]) -> Wanted:
    return Wanted(platform_no=story.platform_no, order_no="D-1001", words=words)


async def _process_sees_what_the_books_have(story: Story) -> None:
    """Told to look, as by a round, the process has seen the very order that stands in the books."""
    await story.order.signal("look")

    async def is_seen() -> bool:
        seen, found = await story.order_view(), await see(story.stage.recorder, ORDERS, story.platform_no, "D-1001")
        assert found.object is not None
        at_same_moment = OrderView.of(found.object, version=found.version, at=seen.seen_at)
        return seen == at_same_moment

    await story.until(is_seen, "the process sees the order as it is")
