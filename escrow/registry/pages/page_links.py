"""One-time links to hosted pages: made once per number, expiring, used at most once, every change an event.

A link's token is a keyed digest of its id, so the same link can be shown to the platform again although only the
token's SHA-256 is kept.
"""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.money.journal import Change, Posting
from escrow.domain.platforms.hosted_pages import LINK_VALID_FOR, LinkOutcome, PageLanguage, PagePurpose
from escrow.domain.requests import content_hash, derived
from escrow.ledger.books_time import books_now, books_time_of
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import post_within, run, transaction
from escrow.registry.members.changes import change_member, locked_member
from escrow.registry.tables import PageLinkRow

_CLAIM = """
UPDATE page_link SET used_at = books_now(:platform_no), outcome = :outcome
WHERE platform_no = :platform_no AND link_no = :link_no AND link_id = :link_id
    AND used_at IS NULL AND expires_at > books_now(:platform_no)
RETURNING link_id
"""
_RENEW = """
UPDATE page_link SET link_id = :link_id, token_sha256 = :token_sha256, expires_at = :expires_at
WHERE platform_no = :platform_no AND link_no = :link_no AND used_at IS NULL AND expires_at <= books_now(:platform_no)
RETURNING link_id
"""
_WITH_NOW = select(PageLinkRow, books_time_of(PageLinkRow.platform_no))


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A link. `link_no` names it by what it is for, `link_id` to the outside; `content` is what is asked for.

    `member_no` is empty for the platform's own contact person.
    """

    platform_no: str
    link_no: str
    link_id: str
    member_no: str
    purpose: PagePurpose
    method: str
    content: dict[str, Any] = field(hash=False)
    content_hash: str
    language: str
    expires_at: datetime
    outcome: LinkOutcome


class PageLinks:
    """Makes and finds links.

    Args:
        recorder: the ledger's connections.
        box: its index key makes the tokens.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self._recorder = recorder
        self._box = box

    async def ask(
        self,
        platform_no: str,
        link_no: str,
        *,
        member_no: str,
        purpose: PagePurpose,
        content: Mapping[str, Any],
        method: str | None = None,
        language: PageLanguage | None = None,
    ) -> tuple[PageLink, bool]:
        """The link under this number, made when there is none and renewed when it expired unused.

        Args:
            content: what is asked for; a repeat is known by it, but for `carry_out`.

        Raises:
            Refused: `request_no_reused`, the number was used for other content.
        """
        asked = {key: value for key, value in content.items() if key != "carry_out"}
        digest = content_hash(
            {"member_no": member_no, "purpose": purpose.value, "method": method or "", "content": asked}
        )
        now, link_id = await books_now(self._recorder, platform_no), secrets.token_hex(16)
        fresh = {
            "link_id": link_id,
            "token_sha256": hashlib.sha256(self._token(link_id).encode()).digest(),
            "expires_at": now + LINK_VALID_FOR,
        }
        row = fresh | {
            "platform_no": platform_no,
            "link_no": link_no,
            "member_no": member_no,
            "purpose": purpose.value,
            "method": method or "",
            "content": dict(content),
            "content_hash": digest,
            "language": language or "",
            "created_at": now,
            "outcome": "",
        }
        async with transaction(self._recorder) as session:
            made = await session.exec(
                insert(PageLinkRow).values(row).on_conflict_do_nothing().returning(col(PageLinkRow.link_no))
            )
            is_new = made.one_or_none() is not None
            if not is_new:
                is_renewed = await run(session, _RENEW, platform_no=platform_no, link_no=link_no, **fresh)
            stored = await session.get_one(PageLinkRow, (platform_no, link_no))
            if stored.content_hash != digest:
                raise Refused("request_no_reused", "This number was used to ask for something else; use a new one.")
            link = _link(stored, now)
            if is_new or is_renewed:
                await self.tell(session, link, "asked")
        return link, is_new

    async def is_known(self, platform_no: str, link_no: str) -> bool:
        """Whether there is a link under this number."""
        async with self._recorder.session() as session:
            return await session.get(PageLinkRow, (platform_no, link_no)) is not None

    async def of_token(self, token: str) -> PageLink | None:
        """The link that a token opens, used and expired ones too; None for an unknown token."""
        digest = hashlib.sha256(token.encode()).digest()
        async with self._recorder.session() as session:
            found = (await session.exec(_WITH_NOW.where(PageLinkRow.token_sha256 == digest))).one_or_none()
        return None if found is None else _link(*found)

    async def of_id(self, platform_no: str, link_id: str) -> PageLink:
        """A platform's link by its id.

        Raises:
            Refused: `not_found`.
        """
        query = _WITH_NOW.where(PageLinkRow.platform_no == platform_no, PageLinkRow.link_id == link_id)
        async with self._recorder.session() as session:
            found = (await session.exec(query)).one_or_none()
        if found is None:
            raise Refused("not_found", f"There is no authorisation {link_id}.")
        return _link(*found)

    def path(self, link: PageLink) -> str:
        """Where the page of a link is, below the API's public address; whoever knows it can open the page."""
        return f"/pages/{self._token(link.link_id)}"

    def form_token(self, link: PageLink) -> str:
        """What a form of the page must carry."""
        return self._box.blind_index(link.link_id, field="page_form").hex()

    @asynccontextmanager
    async def claim(self, link: PageLink, outcome: LinkOutcome, *, did: str) -> AsyncIterator[AsyncSession]:
        """Use a link up; what the block writes in the session is committed with it, or neither is.

        Args:
            did: last part of the event's type, e.g. `given`.

        Raises:
            Refused: `authorisation_ended`, it was used or has expired.
        """
        async with transaction(self._recorder) as session:
            claimed = await run(
                session,
                _CLAIM,
                platform_no=link.platform_no,
                link_no=link.link_no,
                link_id=link.link_id,
                outcome=outcome.value,
            )
            if not claimed:
                raise Refused("authorisation_ended", "The link was used or has expired.")
            yield session
            await self.tell(session, link, did)

    async def tell(self, session: AsyncSession, link: PageLink, did: str, *, number: int = 0) -> None:
        """Record what happened with a link as an event of its member, or platform, in the caller's transaction.

        Args:
            number: tells events of one kind of the same link apart.
        """
        subject = "authorisation" if link.purpose is PagePurpose.AUTHORISE else "payment_password"
        told = {"purpose": link.purpose.value, "did": did, "authorization_id": link.link_id}
        if link.purpose is PagePurpose.AUTHORISE:
            told |= {key: link.content[key] for key in ("operation", "object_kind", "object_no")}
        request_no = derived("", "page", link.link_id, did, number)
        if not link.member_no:
            await post_within(session, _of_platform(link, request_no, f"platform.{subject}_{did}", {subject: told}))
            return
        member = await locked_member(session, link.platform_no, link.member_no)
        await change_member(
            session,
            member,
            request_no=request_no,
            event_type=f"member.{subject}_{did}",
            status=MemberStatus(member.status),
            body={subject: told},
            content={"link_id": link.link_id},
        )

    def _token(self, link_id: str) -> str:
        return base64.urlsafe_b64encode(self._box.blind_index(link_id, field="page_link")).decode().rstrip("=")


def _of_platform(link: PageLink, request_no: str, event_type: str, body: Mapping[str, Any]) -> Posting:
    change = Change(kind="platform", object_no=link.platform_no, event_type=event_type, status="open", body=body)
    return Posting(
        platform_no=link.platform_no,
        request_no=request_no,
        content={"link_id": link.link_id},
        changes=(change,),
    )


def _link(row: PageLinkRow, now: datetime) -> PageLink:
    if row.used_at is not None:
        outcome = LinkOutcome(row.outcome)
    else:
        outcome = LinkOutcome.EXPIRED if row.expires_at <= now else LinkOutcome.PENDING
    return PageLink(
        platform_no=row.platform_no,
        link_no=row.link_no,
        link_id=row.link_id,
        member_no=row.member_no,
        purpose=PagePurpose(row.purpose),
        method=row.method,
        content=row.content,
        content_hash=row.content_hash,
        language=row.language,
        expires_at=row.expires_at,
        outcome=outcome,
    )
