"""A story that is played: its platform, members and orders, what its lines remember, and how a line fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from escrow.domain.money.amounts import format_fen
from escrow.registry.platforms.file import PlatformFile
from escrow.testing.answers import Line, Order, TopUp
from escrow.testing.client import Escrow
from escrow.testing.connection import Refusal
from escrow.testing.grammar import Spoken
from escrow.testing.pages import PageRefused
from escrow.testing.stacks import StackUnderTest
from escrow.testing.story_file import PLATFORM, StoryTerms
from escrow.testing.waiting import PATIENCE_SECONDS, DidNotHappen

#: What is expected must come while something still happens, or this long after the last that did.
_QUIET_SECONDS = 20.0
_POLL_SECONDS = 0.2


class Unfulfilled(AssertionError):
    """What a line expects is not so.

    Args:
        expected, found: as people read them.
        about: the member whose statement explains it; None for none.
    """

    def __init__(self, expected: str, found: str, about: str | None = None) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found
        self.about = about


class StoryFailed(Exception):
    """A line of a story failed; the message is the whole report."""


class Tale:
    """One story on its way.

    Args:
        terms: what its file says.
        escrow: the client of its own platform.
        stack: on which it is played.
    """

    def __init__(self, terms: StoryTerms, escrow: Escrow, stack: StackUnderTest) -> None:
        self.terms = terms
        self.escrow = escrow
        self.stack = stack
        self.order_nos = {name: f"D-{number}" for number, name in enumerate(terms.contracts, start=1)}
        self.withdrawal_no = ""
        self.batch_no = ""
        self.collections: dict[str, TopUp] = {}
        self._cursor = ""

    def member_no(self, who: str) -> str:
        """The number of a member by its name in the story."""
        return who.replace(" ", "-")

    def owner_of(self, order: str) -> str:
        """Number of the member that pays an order."""
        return self.member_no(self.terms.contracts[order].owner)

    async def order(self, order: str) -> Order:
        """An order by its name in the story."""
        return await self.escrow.order(self.order_nos[order])

    async def milestone_number(self, milestone: str, order: str) -> int:
        """Number of a milestone of an order, by its name or the first word of it.

        Raises:
            Unfulfilled: the order has no such milestone.
        """
        found = (await self.order(order)).milestones
        for one in found:
            if milestone in (one.name, one.name.split()[0]):
                return one.number
        raise Unfulfilled(f"a milestone {milestone}", ", ".join(one.name for one in found))

    async def members_and_contracts(self) -> None:
        """Everybody opens, is checked and binds an account; the contracts are signed."""
        for who, terms in self.terms.members.items():
            await self.escrow.open_member(
                self.member_no(who),
                kind=terms.kind,
                name=terms.name,
                bank=terms.bank,
                identity=terms.identity_checked,
                account=terms.has_account,
                card_checked=terms.card_checked,
            )
        for name, contract in self.terms.contracts.items():
            milestones = [
                {
                    "name": stage.name,
                    "kind": str(stage.kind),
                    **({"amount_fen": stage.amount_fen} if stage.amount_fen else {"share": str(stage.share)}),
                }
                for stage in contract.stages
            ]
            await self.escrow.open_order(
                self.order_nos[name],
                owner=self.member_no(contract.owner),
                contractor=None if contract.contractor is None else self.member_no(contract.contractor),
                total_fen=contract.price_fen,
                milestones=milestones,
                **contract.more,
            )

    async def becomes(self, expected: Any, look: Callable[[], Awaitable[Any]], *, about: str | None = None) -> None:
        """What is looked at must be as expected, now or as soon as what is under way has come to its end.

        Raises:
            Unfulfilled: it is not, and nothing happens any more.
        """
        clock = asyncio.get_running_loop()
        give_up_at, quiet_since, seen_before = clock.time() + PATIENCE_SECONDS, clock.time(), None
        while (seen := await look()) != expected:
            if seen != seen_before or await self._something_happens():
                quiet_since, seen_before = clock.time(), seen
            if clock.time() > min(give_up_at, quiet_since + _QUIET_SECONDS):
                raise Unfulfilled(str(expected), str(seen), about)
            await asyncio.sleep(_POLL_SECONDS)

    async def amount_becomes(
        self, expected_fen: int, look: Callable[[], Awaitable[int]], *, about: str | None = None
    ) -> None:
        """The same for an amount, in fen.

        Raises:
            Unfulfilled: it is not, and nothing happens any more.
        """

        async def shown() -> str:
            return format_fen(await look())

        await self.becomes(format_fen(expected_fen), shown, about=about)

    async def _something_happens(self) -> bool:
        """Whether there is an event that was not seen yet, or the bank has a payment under way."""
        events = await self.escrow.events(self._cursor)
        self._cursor = events[-1].cursor if events else self._cursor
        return bool(events) or not all(one.stands_still for one in await self.escrow.withdrawals())


async def play(
    terms: StoryTerms,
    spoken: Sequence[Spoken],
    stack: StackUnderTest,
    file: PlatformFile | None,
    begin_at: datetime,
) -> None:
    """Play a story on a platform of its own, line by line; at its end the books must hold.

    Args:
        file: the platform file that the story's own settings are laid over; None for every default.

    Raises:
        StoryFailed: a line failed, or the books do not hold.
    """
    platform = await stack.open_platform(file, begin_at, config=terms.config)
    escrow = Escrow(platform)
    tale = Tale(terms, escrow, stack)
    try:
        await tale.members_and_contracts()
        for (line_no, text), said in zip(terms.lines, spoken, strict=True):
            try:
                await _acted(tale, said)
            except (Unfulfilled, DidNotHappen, Refusal, PageRefused) as failure:
                raise StoryFailed(await _report(tale, line_no, text, said, failure)) from failure
        wrong = await stack.what_is_wrong(platform)
        if wrong:
            raise StoryFailed(f"{terms.path}: at the end the books do not hold:\n  " + "\n  ".join(wrong))
    finally:
        await escrow.aclose()


async def _acted(tale: Tale, said: Spoken) -> None:
    if not said.refused_with:
        await said.sentence.act(tale, **said.values)
        return
    try:
        await said.sentence.act(tale, **said.values)
    except Refusal as refusal:
        if refusal.code == said.refused_with:
            return
        raise Unfulfilled(f"refused: {said.refused_with}", f"refused: {refusal}") from refusal
    raise Unfulfilled(f"refused: {said.refused_with}", "done")


async def _report(tale: Tale, line_no: int, text: str, said: Spoken, failure: Exception) -> str:
    about = said.values.get("who", "")
    if isinstance(failure, Unfulfilled):
        expected, found, about = failure.expected, failure.found, failure.about or about
    elif isinstance(failure, Refusal):
        expected, found = "done", f"refused: {failure}"
    else:
        expected, found = "done", str(failure)
    lines = [
        f"{tale.terms.path}:{line_no}: {text}",
        f"  expected: {expected}",
        f"  found:    {found}",
        f"  it is {await tale.escrow.now():%A %Y-%m-%d %H:%M:%S} in Shanghai",
    ]
    members = [who for who in tale.terms.members if about in ("", who)] or list(tale.terms.members)
    for who in members if about != PLATFORM else ():
        lines += ["", f"  Statement of {who}", *await _statement(tale, who)]
    return "\n".join(lines)


async def _statement(tale: Tale, who: str) -> list[str]:
    found = (await tale.escrow.statement(tale.member_no(who))).lines
    return [f"    {_shown(line)}" for line in found] or ["    nothing was ever posted"]


def _shown(line: Line) -> str:
    return (
        f"{line.accounting_day}  {line.recipe.replace('_', ' '):<26} {line.account:<34} "
        f"{format_fen(line.amount_fen):>15} {format_fen(line.balance_after_fen):>15}"
    )
