"""The books decide once: read, decide, and post on exactly what was read; again, when it moved meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.decisions import (
    A,
    Aggregate,
    Command,
    Decision,
    Fact,
    GivenConsent,
    NotDue,
    ObjectKind,
    Stored,
    Unsaid,
)
from escrow.domain.errors import LedgerBusy, Refused
from escrow.domain.money.journal import Change, Posting, Receipt, StandsOn
from escrow.domain.requests import content_hash
from escrow.ledger.consents import void_consent, void_consent_within
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.loading import Look, look

#: How often one attempt reads anew when what it stands on moves under it.
_ATTEMPTS = 5
#: Refusals of the database that say that somebody was faster, not that a rule says no: versions are compared first, and
#: what a decision does once is claimed, so its number, its object or its money can only have gone to another just now.
_MOVED = frozenset({"moved", "object_exists", "request_no_reused", "insufficient_balance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Generic[A]):
    """What became of a command: exactly one of `answer`, `refusal` and `remaining` is set.

    Args:
        object: the object as it is now, None where it does not stand in the books.
        at: the books' time at which it was looked at.
        answer: what the caller is told; of a repeat, what was told the first time.
        remaining: what is left of a deadline that has not passed.
        follows: what must exist from now on because of it, as (kind, number).
    """

    object: A | None
    version: int
    at: datetime
    answer: Mapping[str, Any] | None = None
    refusal: Refused | None = None
    remaining: timedelta | None = None
    is_repeat: bool = False
    follows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[A]):
    """An object at the books' moment `at`, None where it does not stand there; `asked` in the order of recording."""

    object: A | None
    version: int
    at: datetime
    asked: tuple[GivenConsent, ...]


class _Seeing(Unsaid):
    """What a look needs to know that decides nothing."""

    name = "see"
    needs = frozenset({Fact.ASKED})


_SEEING = _Seeing()


async def see(reader: Reader, kind: ObjectKind[A], platform_no: str, object_no: str) -> Seen[A]:
    """An object at one moment, and what parties said to it that nobody has answered yet.

    Raises:
        Refused: `platform_unknown`.
        LedgerUnavailable: no answer.
    """
    found = await look(reader, kind.name, platform_no, object_no, _SEEING)
    restored = kind.restored(found.stored)
    return Seen(
        object=restored if isinstance(restored, kind.of) else None,
        version=found.stored.version,
        at=found.at,
        asked=found.facts.asked,
    )


async def known(reader: Reader, kind: ObjectKind[A], platform_no: str, object_no: str) -> A:
    """An object that stands in the books.

    Raises:
        Refused: `not_found`.
    """
    found = (await see(reader, kind, platform_no, object_no)).object
    if found is None:
        raise Refused("not_found", f"There is no {kind.name} {object_no}.")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Generic[A]):
    """What the books know of a command at one moment, beside the object that it is to.

    Args:
        object: None where it does not stand in the books.
        is_recorded: whether its number was taken, by this command or by another content.
        answer: what its caller is told, once it was carried out.
        refusal: why it was refused, while its number is not said anew.
    """

    object: A | None
    stored: Stored
    is_recorded: bool
    answer: Mapping[str, Any] | None
    refusal: Refused | None

    @property
    def is_open(self) -> bool:
        """Whether nothing has become of it yet."""
        return self.answer is None and self.refusal is None


async def hear(reader: Reader, kind: ObjectKind[A], platform_no: str, object_no: str, command: Command) -> Heard[A]:
    """What became of a command, in one look.

    Raises:
        Refused: `platform_unknown`.
        LedgerUnavailable: no answer.
    """
    found = await look(reader, kind.name, platform_no, object_no, command, decides=False)
    restored, outcome = kind.restored(found.stored), {} if found.standing is None else found.standing.outcome or {}
    answer = _answered_before(restored, found, command)
    refusal = None
    if answer is None and found.standing is not None and found.standing.voided_at is not None and "refused" in outcome:
        refusal = Refused(**outcome["refused"])
    return Heard(
        object=restored if isinstance(restored, kind.of) else None,
        stored=found.stored,
        is_recorded=found.facts.consent is not None,
        # What the first release answered is kept with the consent.
        answer=outcome.get("result", answer) if found.before is not None and found.before.answer is None else answer,
        refusal=refusal,
    )


class Posts(Protocol):
    """Writes one posting: the ledger's writer, or whoever keeps rows of its own beside an object."""

    async def post(self, posting: Posting) -> Receipt:
        """Write it; raises as `LedgerWriter.post`."""


class Books:
    """Carries commands out, for whoever brings them.

    Args:
        writer: posts.
        recorder: reads, and voids the consents of what is refused.
        session: transaction of the caller's in which that is done, so that nobody holds two connections; None for one
            of its own.
    """

    def __init__(self, writer: Posts, recorder: Recorder, *, session: AsyncSession | None = None) -> None:
        self._writer = writer
        self._recorder = recorder
        self._session = session

    async def take(self, kind: ObjectKind[A], platform_no: str, object_no: str, command: Command) -> Taken[A]:
        """Carry one command out, or find what became of it before.

        Raises:
            LedgerBusy: others change the same object too fast; nothing was done, repeat.
            LedgerUnavailable: no answer; whether it was done is not known, repeat.
        """
        used_since: datetime | None = None
        for _ in range(_ATTEMPTS):
            found = await look(self._recorder, kind.name, platform_no, object_no, command)
            before = kind.restored(found.stored)
            now = before if isinstance(before, kind.of) else None
            seen = Taken(object=now, version=found.stored.version, at=found.at)
            told = _answered_before(before, found, command)
            if told is not None:
                # Whoever did it may have died before it woke what follows.
                follows = () if found.before is None else found.before.follows
                return replace(seen, answer=told, is_repeat=True, follows=follows)
            try:
                _require_standing(found, command)
                after, decision = before.decide(command, at=found.at, facts=found.facts)
                receipt = await self._writer.post(_posting(kind.name, after, decision, found, command))
            except NotDue as early:
                return replace(seen, remaining=early.remaining)
            except Refused as refusal:
                if refusal.code in _MOVED and not _is_own(refusal, found):
                    continue
                given_at = None if found.facts.consent is None else found.facts.consent.recorded_at
                if await self._refused(found, command, refusal) or given_at == used_since:
                    return replace(seen, refusal=refusal)
                used_since = given_at
                continue
            if receipt.repeated:
                continue  # somebody else did it since it was looked at, on what he had read
            assert isinstance(after, kind.of)  # noqa: S101 - what a decision leads to stands in the books
            return Taken(
                object=after,
                version=found.stored.version + 1,
                at=found.at,
                answer=decision.answer,
                follows=tuple((change.kind, change.object_no) for change in decision.follows),
            )
        raise LedgerBusy("ledger_busy", f"Others change the {kind.name} {object_no} at the same time; repeat the call.")

    async def _refused(self, found: Look, command: Command, refusal: Refused) -> bool:
        """Void the consent of a refused command; False when it was used or given anew since it was looked at.

        One that is about something else stays: nobody takes a party's word away by misquoting it.
        """
        consent = found.facts.consent
        if consent is None or found.standing is None or not _is_about(found, command):
            return True
        if found.standing.voided_at is not None:
            return True
        told = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
        void = partial(void_consent, self._recorder)
        if self._session is not None:
            void = partial(void_consent_within, self._session)
        return await void(
            found.stored.platform_no,
            consent.consent_no,
            outcome={"refused": told},
            recorded_at=consent.recorded_at,
        )


def _answered_before(before: Aggregate, found: Look, command: Command) -> Mapping[str, Any] | None:
    """What was answered to this very command before; a number that another command has taken says nothing of it."""
    if found.before is None:
        return None
    if found.before.by_basis:
        same = command.consent_no is None or _is_about(found, command)
    elif found.before.answer is None:
        same = found.before.changed_it
    else:
        same = found.before.content_hash == content_hash(_content(command, found))
    if not same:
        return None
    return before.told(command) if found.before.answer is None else found.before.answer


def _require_standing(found: Look, command: Command) -> None:
    """The consent of a command must be about it, and must be one that can still be stood on.

    Raises:
        Refused: `basis_mismatch`, `basis_expired`, or what was said when it was refused before.
    """
    consent, standing = found.facts.consent, found.standing
    if consent is None or standing is None:
        return
    if not _is_about(found, command):
        raise Refused("basis_mismatch", f"The consent {consent.consent_no} is not about this.")
    if standing.voided_at is not None:
        refused = (standing.outcome or {}).get("refused")
        if refused is None:
            raise Refused("basis_void", f"The consent {consent.consent_no} is void.")
        raise Refused(refused["code"], refused["message"], refused["details"])
    if standing.expires_at <= found.at and not standing.is_asked:
        raise Refused("basis_expired", f"The consent {consent.consent_no} has expired; ask under a new number.")


def _is_about(found: Look, command: Command) -> bool:
    consent = found.facts.consent
    return consent is not None and command.is_said_in(consent, found.stored.object_no)


def _is_own(refusal: Refused, found: Look) -> bool:
    """Whether it was refused on what had been read: the money was not there, the number named had been taken."""
    if refusal.code == "request_no_reused":
        return found.before is not None and not found.before.by_basis
    return refusal.code == "insufficient_balance" and "missing_fen" in refusal.details


def _content(command: Command, found: Look) -> dict[str, Any]:
    return {"object_no": found.stored.object_no, "command": command.name, **command.content()}


def _posting(kind: str, after: Aggregate, decision: Decision, found: Look, command: Command) -> Posting:
    stored = found.stored
    change = Change(
        kind=kind,
        object_no=stored.object_no,
        event_type=decision.event_type,
        status=after.status,
        # What the first release wrote and no document has any more stays, as the events of that time tell it.
        body={**stored.body, **after.document()},
        must_be_new=stored.version == 0,
        replaces=True,
        event=decision.event,
    )
    own = StandsOn(kind=kind, object_no=stored.object_no, version=stored.version)
    return Posting(
        platform_no=stored.platform_no,
        request_no=decision.request_no,
        content=_content(command, found),
        entry=decision.entry,
        changes=(change, *decision.follows),
        deadlines=decision.deadlines,
        bases=decision.bases,
        claims=decision.claims,
        stands_on=(own, *decision.has_read),
        accounting_day=found.facts.accounting_day,
        counters=decision.counters,
        answer=decision.answer,
        answers=() if command.consent_no is None else (command.consent_no,),
    )
