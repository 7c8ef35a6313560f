"""Rounds: what the books say is late or unfinished is taken up, whatever became of its process.

By progress, not by existence: what is late is told to look, or started; what is late again and again loses its run and
gets another, and a person is called. Beside that everything unfinished is gone through, a page in each round, for
processes that are not there. Nothing here decides about an object: its process does what the books say.
"""

from collections.abc import Awaitable, Collection

import structlog
from pydantic import BaseModel, ConfigDict
from temporalio import activity
from temporalio.service import RPCError

from activities.heartbeat import heartbeating
from activities.taking_up import Did, ProcessOf, Startable, TakingUp
from escrow.domain.collections.commands import OperatorCame as CollectionAttended
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.errors import LedgerBusy, LedgerUnavailable
from escrow.domain.orders.commands import CallOperator, OperatorCame
from escrow.domain.orders.opening import ORDERS
from escrow.ledger.attention import call_person, person_came, was_called_late
from escrow.ledger.books import Books, see
from escrow.ledger.engine import Recorder
from escrow.ledger.objects import get_object
from escrow.ledger.progress import (
    Late,
    Named,
    ObjectKey,
    late_objects,
    objects_numbered,
    unfinished_objects,
)
from escrow.ledger.rounds_made import count_late, forget_what_goes_on, round_was_made, swept_to

#: So many objects of each sort are looked at in one round.
_LATE_AT_MOST, _SWEPT_AT_MOST = 200, 200
#: Told to look so often, an object that is still late gets another run.
_ROUNDS_BEFORE_ANEW = 3
#: After so many calls that Temporal did not answer, the rest of a round is left to the next one.
_UNANSWERED_AT_MOST = 3

_log = structlog.get_logger(__name__)


class _Message(BaseModel):
    """Base of what passes through Temporal: a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class RoundMade(_Message):
    """What one round has come to: so many objects were late, so many processes were told, begun, or begun anew."""

    late: int = 0
    told: int = 0
    begun: int = 0
    begun_anew: int = 0


class TakeUp(_Message):
    """What an operator wants taken up.

    Args:
        platform_no: one platform, None for all.
        object_no: one number, of whatever kind; None for everything unfinished.
        after: continues after this object (kind, platform, number) of the page before.
    """

    platform_no: str | None = None
    object_no: str | None = None
    after: tuple[str, str, str] | None = None


class TakenUp(_Message):
    """What was done, one sentence for each object; `after` for the next page, None when this was the last."""

    said: tuple[str, ...]
    after: tuple[str, str, str] | None = None


class RoundActivities:
    """Going round.

    Args:
        process_of: which process looks after which object.
        kinds: the kinds that have one.
    """

    def __init__(
        self, books: Books, recorder: Recorder, taking_up: TakingUp, process_of: ProcessOf, kinds: Collection[str]
    ) -> None:
        self._books = books
        self._recorder = recorder
        self._taking_up = taking_up
        self._process_of = process_of
        self._kinds = kinds

    @activity.defn
    async def make_round(self) -> RoundMade:
        """Take up what is late and a page of what is unfinished; then write down that a round was made.

        Raises:
            LedgerUnavailable, RPCError: the books or Temporal do not answer; a repeat does no harm.
        """
        async with heartbeating():
            await forget_what_goes_on(self._recorder)
            late = await late_objects(self._recorder, limit=_LATE_AT_MOST)
            tally = _Tally()
            for item in late:
                with tally:
                    tally.count(await self._apart(item.key, self._hurry(item), is_late=True))
            swept = await swept_to(self._recorder)
            page = await unfinished_objects(self._recorder, self._kinds, after=swept, limit=_SWEPT_AT_MOST)
            taken = {item.key for item in late}
            for key in page:
                if key not in taken:
                    with tally:
                        tally.count(await self._apart(key, self._see_to(key)))
            await round_was_made(self._recorder, page[-1] if len(page) == _SWEPT_AT_MOST else None)
        return RoundMade(
            late=len(late),
            told=tally.of(Did.TOLD),
            begun=tally.of(Did.STARTED),
            begun_anew=tally.of(Did.BEGUN_ANEW) + tally.of(Did.STRANGER),
        )

    @activity.defn
    async def take_up(self, request: TakeUp) -> TakenUp:
        """Do at once for one number, or for a page of all that is unfinished, what rounds would do, and more.

        Whoever is on the list of those who wait for a person is taken off it and begun anew: the person has come.

        Raises:
            LedgerUnavailable, RPCError: the books or Temporal do not answer; a repeat does no harm.
        """
        async with heartbeating():
            if request.object_no is not None:
                found = await objects_numbered(self._recorder, request.object_no, request.platform_no)
                return TakenUp(said=tuple([await self._apart(item.key, self._resume_named(item)) for item in found]))
            after = request.after and ObjectKey(
                kind=request.after[0], platform_no=request.after[1], object_no=request.after[2]
            )
            page = await unfinished_objects(
                self._recorder, self._kinds, platform_no=request.platform_no, after=after, limit=_SWEPT_AT_MOST
            )
            late = [] if after else await late_objects(self._recorder, request.platform_no, limit=_LATE_AT_MOST)
            keys = dict.fromkeys([*(item.key for item in late), *page])
            said = tuple([await self._apart(key, self._resume(key)) for key in keys])
        last = page[-1] if len(page) == _SWEPT_AT_MOST else None
        return TakenUp(said=said, after=last and (last.kind, last.platform_no, last.object_no))

    async def _apart(self, key: ObjectKey, looking: Awaitable[str], *, is_late: bool = False) -> str:
        """What comes of looking after one object: what is odd about it waits for a person, and holds up no other.

        Who was called because it is late stays called for that: it leaves the list when it goes on, others by a person.
        """
        try:
            return await looking
        except (LedgerBusy, LedgerUnavailable, RPCError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this object's
            # Its text may show what no log shows.
            why = f"cannot be looked after: {type(error).__name__}"
            _log.error("not_looked_after", kind=key.kind, platform_no=key.platform_no, object_no=key.object_no, why=why)
            if is_late or not await was_called_late(self._recorder, key):
                await call_person(self._recorder, key, why, is_late=is_late)
            return f"{key}: {why}"

    async def _hurry(self, late: Late) -> Did:
        """Tell an object that is late to look; one that was told again and again gets another run."""
        process = await self._process(late.key)
        if process is None:
            await call_person(
                self._recorder, late.key, f"no progress: {late.why}; nothing looks after it", is_late=True
            )
            return Did.NOTHING
        # What is tried again is the same round.
        begun_at = activity.info().scheduled_time
        if await count_late(self._recorder, late.key, round_begun_at=begun_at) <= _ROUNDS_BEFORE_ANEW:
            did = await self._taking_up.tend(process, look=True)
            if did is Did.STRANGER:
                await self._call(late.key, did)
            return did
        version = await self._version(late.key)
        did = await self._taking_up.tend(process, anew=True, why=f"no progress: {late.why}")
        # On the list last, for then it is left alone; by a word of its own only while the new run has done nothing yet.
        reason = f"no progress: {late.why}; its process was ended and begun anew"
        await self._call_by_object(late.key, reason, seen_version=version)
        await call_person(self._recorder, late.key, reason, is_late=True)
        _log.warning("begun_anew", kind=late.key.kind, platform_no=late.key.platform_no, object_no=late.key.object_no)
        return did

    async def _see_to(self, key: ObjectKey) -> Did:
        """See that what is unfinished has a process."""
        process = await self._process(key)
        if process is None:
            return Did.NOTHING
        did = await self._taking_up.tend(process)
        if did is Did.STRANGER:
            await self._call(key, did)
        return did

    async def _call(self, key: ObjectKey, did: Did) -> None:
        _log.warning("stranger_ended", kind=key.kind, platform_no=key.platform_no, object_no=key.object_no)
        await self._call_by_object(key, did.value, seen_version=await self._version(key))
        await call_person(self._recorder, key, did.value)

    async def _version(self, key: ObjectKey) -> int | None:
        found = await get_object(self._recorder, key.platform_no, key.kind, key.object_no)
        return None if found is None else found.sequence_no

    async def _call_by_object(self, key: ObjectKey, reason: str, *, seen_version: int | None) -> None:
        """The object says itself that it waits for an operator, where it has a word that stops nothing else."""
        if key.kind == ORDERS.name and seen_version is not None and seen_version == await self._version(key):
            command = CallOperator(reason=reason, seen_version=seen_version)
            await self._books.take(ORDERS, key.platform_no, key.object_no, command)

    async def _resume_named(self, named: Named) -> str:
        if named.has_ended and not named.is_asked:
            await self._attended(named.key)
            await person_came(self._recorder, named.key)
            return f"{named.key}: has ended, {named.status}"
        return await self._resume(named.key)

    async def _resume(self, key: ObjectKey) -> str:
        """An operator has looked after an object: off the list with it, and on with its process; says what was done."""
        process = await self._process(key)
        if process is None:
            return f"{key}: nothing looks after it, left as it is"
        await self._attended(key)
        anew = await was_called_late(self._recorder, key)
        did = await self._taking_up.tend(process, look=True, anew=anew, why="an operator has it begun anew")
        await person_came(self._recorder, key)
        return f"{key}: {did}"

    async def _attended(self, key: ObjectKey) -> None:
        """What an object says itself of a person is over, where it does not go by the next step alone."""
        if key.kind == ORDERS.name:
            order = await see(self._recorder, ORDERS, key.platform_no, key.object_no)
            if order.object is not None and order.object.state.attention is not None:
                command = OperatorCame(seen_version=order.version)
                await self._books.take(ORDERS, key.platform_no, key.object_no, command)
        elif key.kind == COLLECTIONS.name:
            collection = await see(self._recorder, COLLECTIONS, key.platform_no, key.object_no)
            state = None if collection.object is None else collection.object.state
            # While something of it can be overdue, what it says goes when that has ended.
            if state is not None and state.attention is not None and state.overdue_at() is None:
                attended = CollectionAttended(seen_version=collection.version)
                await self._books.take(COLLECTIONS, key.platform_no, key.object_no, attended)

    async def _process(self, key: ObjectKey) -> Startable | None:
        found = await get_object(self._recorder, key.platform_no, key.kind, key.object_no)
        body = {} if found is None else found.body
        return self._process_of(key.kind, key.platform_no, key.object_no, body=body)


class _Tally:
    """Counts what was done, and gives up when Temporal does not answer again and again."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._unanswered = 0

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, RPCError):
            return False
        self._unanswered += 1
        _log.warning("not_taken_up", error=error.status.name)
        return self._unanswered < _UNANSWERED_AT_MOST

    def count(self, did: str) -> None:
        self._done.append(did)

    def of(self, did: Did) -> int:
        return self._done.count(did)
