"""Consents: the evidence of who agreed to exactly what, recorded before anything is done with it.

A posting that stands on a consent checks it and uses it up in its own transaction (`post_batch`), so a consent
moves money at most once, and a message without one moves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.platforms.authorisations import PLATFORM_KEY
from escrow.domain.requests import content_hash, operation_hash
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.tables import BasisUse, ConsentRow

#: A consent that nothing stood on until then is void; a caller repeats within minutes.
CONSENT_VALIDITY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsent:
    """A consent to record.

    Args:
        consent_no: the caller's request number, unique per platform for ever.
        given_by: the party that consents: a member number, or `platform`.
        terms: what exactly is consented to; part of the operation hash.
        method: how the party was recognised; `platform_key` while the platform vouches for it.
        text_version: version of the text that was shown.
        remote_address: where the consent came from, None when unknown.
        valid_for: how long it may be used from now on, by the books' time.
        asked: whether it is a command that its object is to take up, and no evidence for later alone.
        config_version: version of the platform's configuration that was in force; its terms hold for every repeat.
        note: for operators; no part of what is consented to.
    """

    platform_no: str
    consent_no: str
    object_kind: str
    object_no: str
    operation: str
    given_by: str
    terms: Mapping[str, Any]
    valid_for: timedelta
    method: str = PLATFORM_KEY
    text_version: str = "1"
    remote_address: str | None = None
    asked: bool = False
    config_version: int | None = None
    note: str | None = None

    @property
    def operation_hash(self) -> str:
        """Hash that a posting's basis must quote."""
        return operation_hash(
            platform_no=self.platform_no,
            object_kind=self.object_kind,
            object_no=self.object_no,
            operation=self.operation,
            by=self.given_by,
            terms=self.terms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A recorded consent.

    `method` is how the party was recognised, `outcome` what came of it, None while that is open; `used_by` the request
    it allowed.
    """

    platform_no: str
    consent_no: str
    object_kind: str
    object_no: str
    operation: str
    given_by: str
    terms: dict[str, Any]
    operation_hash: str
    method: str
    recorded_at: datetime
    expires_at: datetime
    voided_at: datetime | None
    outcome: dict[str, Any] | None
    config_version: int | None
    used_by: str | None


_STORED_FIELDS = tuple(item.name for item in fields(Consent) if item.name != "used_by")


async def record_consent(recorder: Recorder, consent: NewConsent) -> tuple[Consent, bool]:
    """Record a consent; the flag says whether it is new. The same content again gives the row already there.

    A refusal leaves the number free: a command that the platform vouched for and that was refused may be said anew,
    also with another content.

    Raises:
        Refused: `request_no_reused`, the number was used for another consent.
    """
    new = await recorder.write(
        "INSERT INTO consent AS known (platform_no, consent_no, content_hash, object_kind, object_no, operation,"
        " given_by, terms, operation_hash, method, text_version, remote_address, asked, config_version, note,"
        " recorded_at, expires_at)"
        " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, books_now($1), books_now($1) + $16"
        " ON CONFLICT (platform_no, consent_no) DO UPDATE SET content_hash = excluded.content_hash,"
        " object_kind = excluded.object_kind, object_no = excluded.object_no, operation = excluded.operation,"
        " given_by = excluded.given_by, terms = excluded.terms, operation_hash = excluded.operation_hash,"
        " text_version = excluded.text_version, remote_address = excluded.remote_address,"
        " config_version = excluded.config_version, note = excluded.note, recorded_at = excluded.recorded_at,"
        " expires_at = excluded.expires_at, voided_at = NULL, outcome = NULL, answered_at = NULL"
        " WHERE excluded.asked AND known.asked AND known.voided_at IS NOT NULL AND known.method = $17"
        " RETURNING *",
        *_columns(consent).values(),
        consent.valid_for,
        PLATFORM_KEY,
    )
    if new is not None:
        return Consent(**{name: new[name] for name in _STORED_FIELDS}, used_by=None), True
    async with recorder.session() as session:
        return await _recorded_before(session, consent), False


async def record_within(session: AsyncSession, consent: NewConsent) -> tuple[Consent, bool]:
    """Record a consent like `record_consent`, in a session of the caller's.

    Raises:
        Refused: `request_no_reused`.
    """
    now = await books_now_within(session, consent.platform_no)
    inserted = await session.exec(
        insert(ConsentRow)
        .values(_columns(consent) | {"recorded_at": now, "expires_at": now + consent.valid_for})
        .on_conflict_do_nothing()
        .returning(ConsentRow)
    )
    new = inserted.scalars().one_or_none()
    if new is not None:
        return _consent(new, used_by=None), True
    return await _recorded_before(session, consent), False


def _columns(consent: NewConsent) -> dict[str, Any]:
    """Columns in the order in which `record_consent` names them."""
    return {
        "platform_no": consent.platform_no,
        "consent_no": consent.consent_no,
        "content_hash": _digest(consent),
        "object_kind": consent.object_kind,
        "object_no": consent.object_no,
        "operation": consent.operation,
        "given_by": consent.given_by,
        "terms": dict(consent.terms),
        "operation_hash": consent.operation_hash,
        "method": consent.method,
        "text_version": consent.text_version,
        "remote_address": consent.remote_address or "",
        "asked": consent.asked,
        "config_version": consent.config_version,
        "note": consent.note or "",
    }


def _digest(consent: NewConsent) -> str:
    return content_hash({"operation": consent.operation_hash, "text_version": consent.text_version})


async def _recorded_before(session: AsyncSession, consent: NewConsent) -> Consent:
    stored = await session.get_one(ConsentRow, (consent.platform_no, consent.consent_no))
    if stored.content_hash != _digest(consent):
        raise Refused(
            "request_no_reused",
            f"Request number {consent.consent_no} was used for another consent; use a new one.",
            {"request_no": consent.consent_no},
        )
    return await _with_use(session, stored)


async def get_consent(reader: Reader, platform_no: str, consent_no: str) -> Consent | None:
    """One consent, None when there is none under this number."""
    async with reader.session() as session:
        row = await session.get(ConsentRow, (platform_no, consent_no))
        return None if row is None else await _with_use(session, row)


async def asked_for(reader: Reader, platform_no: str, object_kind: str, object_no: str) -> Consent | None:
    """The consent by which an object is asked for: the one that waits to be taken up, else the newest."""
    row = await reader.row(
        "SELECT c.*, u.request_no AS used_by FROM consent c LEFT JOIN basis_use u ON u.platform_no = c.platform_no"
        " AND u.kind = 'consent' AND u.reference = c.consent_no"
        " WHERE c.platform_no = $1 AND c.object_kind = $2 AND c.object_no = $3"
        " ORDER BY c.asked DESC, c.recorded_at DESC, c.consent_no LIMIT 1",
        platform_no,
        object_kind,
        object_no,
    )
    return None if row is None else Consent(**{name: row[name] for name in (*_STORED_FIELDS, "used_by")})


async def void_consent(
    recorder: Recorder,
    platform_no: str,
    consent_no: str,
    *,
    outcome: Mapping[str, Any] | None = None,
    recorded_at: datetime | None = None,
) -> bool:
    """Void a consent, so that nothing can stand on it any more; False when it was used already and stays as it is.

    Args:
        outcome: what to answer when the same request comes again.
        recorded_at: of the consent that is meant, timezone-aware; one that was given anew since then stays too.

    Raises:
        Refused: `not_found`.
    """
    async with recorder.transaction() as session:
        return await void_consent_within(session, platform_no, consent_no, outcome=outcome, recorded_at=recorded_at)


async def void_consent_within(
    session: AsyncSession,
    platform_no: str,
    consent_no: str,
    *,
    outcome: Mapping[str, Any] | None = None,
    recorded_at: datetime | None = None,
) -> bool:
    """The same in a transaction of the caller's; else as `void_consent`."""
    locked = await session.exec(
        select(ConsentRow)
        .where(ConsentRow.platform_no == platform_no, ConsentRow.consent_no == consent_no)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = locked.one_or_none()
    if row is None:
        raise Refused("not_found", f"There is no consent {consent_no}.")
    # A statement of its own, after the lock: it sees the use by a posting that held the row until now.
    if await session.get(BasisUse, (platform_no, "consent", consent_no)) is not None:
        return False
    if recorded_at is not None and row.recorded_at != recorded_at:
        return False
    if row.voided_at is None:
        row.voided_at = await books_now_within(session, platform_no)
    row.answered_at = row.voided_at
    if outcome is not None and row.outcome is None:
        row.outcome = dict(outcome)
    return True


async def keep_refusal(recorder: Recorder, platform_no: str, consent_no: str, refusal: Refused) -> bool:
    """Void the consent of a refused request and keep the refusal as its answer; False when the consent was used."""
    outcome = {"refused": {"code": refusal.code, "message": refusal.message, "details": refusal.details}}
    return await void_consent(recorder, platform_no, consent_no, outcome=outcome)


def raise_kept_refusal(outcome: Mapping[str, Any]) -> None:
    """Raise what was refused the first time, if it was.

    Raises:
        Refused: as it was.
    """
    if "refused" in outcome:
        kept = outcome["refused"]
        raise Refused(kept["code"], kept["message"], kept["details"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the books say of a recorded command: it was carried out, or refused, or neither yet.

    `answer` is what its caller is told, empty for one that was carried out when answers were not kept.
    """

    answer: Mapping[str, Any] | None
    refusal: Refused | None


async def answer_of(reader: Reader, platform_no: str, consent_no: str, *, own_no: str | None = None) -> Answered:
    """What became of the command that stands on a consent.

    Args:
        own_no: request number of ours under which it is carried out where it uses the consent up later only.

    Raises:
        LedgerUnavailable: no answer.
    """
    row = await reader.row(
        "SELECT c.voided_at, c.outcome, r.request_no, r.answer FROM consent c"
        " LEFT JOIN basis_use u ON u.platform_no = c.platform_no AND u.kind = 'consent' AND u.reference = c.consent_no"
        " LEFT JOIN request own ON own.platform_no = c.platform_no AND own.request_no = $3"
        # By its whole key, whatever the planner knows of the table.
        " LEFT JOIN LATERAL (SELECT q.request_no, q.answer FROM request q WHERE q.platform_no = c.platform_no"
        " AND q.request_no = coalesce(own.request_no, u.request_no) LIMIT 1) r ON true"
        " WHERE c.platform_no = $1 AND c.consent_no = $2",
        platform_no,
        consent_no,
        own_no,
    )
    if row is None:
        return Answered(answer=None, refusal=None)
    outcome: Mapping[str, Any] = row["outcome"] or {}
    if row["request_no"] is not None:
        return Answered(answer=row["answer"] or outcome.get("result") or {}, refusal=None)
    if row["voided_at"] is not None and "refused" in outcome:
        kept = outcome["refused"]
        return Answered(answer=None, refusal=Refused(kept["code"], kept["message"], kept["details"]))
    return Answered(answer=None, refusal=None)


async def store_outcome(recorder: Recorder, platform_no: str, consent_no: str, outcome: Mapping[str, Any]) -> None:
    """Keep what came of a consent, to be answered when the same request comes again; the first one stays."""
    await recorder.write(
        "UPDATE consent SET outcome = $3 WHERE platform_no = $1 AND consent_no = $2 AND outcome IS NULL",
        platform_no,
        consent_no,
        dict(outcome),
    )


async def _with_use(session: AsyncSession, row: ConsentRow) -> Consent:
    use = await session.get(BasisUse, (row.platform_no, "consent", row.consent_no))
    return _consent(row, used_by=use.request_no if use is not None else None)


def _consent(row: ConsentRow, *, used_by: str | None) -> Consent:
    return Consent(
        platform_no=row.platform_no,
        consent_no=row.consent_no,
        object_kind=row.object_kind,
        object_no=row.object_no,
        operation=row.operation,
        given_by=row.given_by,
        terms=row.terms,
        operation_hash=row.operation_hash,
        method=row.method,
        recorded_at=row.recorded_at,
        expires_at=row.expires_at,
        voided_at=row.voided_at,
        outcome=row.outcome,
        config_version=row.config_version,
        used_by=used_by,
    )
