"""One-time codes sent by SMS for a link: six digits, kept as keyed digests, counted by the database."""

import hmac
import secrets
from typing import Any

from sqlmodel import col, select

from escrow.domain.errors import Refused
from escrow.domain.members.tries import Tries, Verdict
from escrow.domain.platforms.hosted_pages import CODE_TRIES, CODE_VALID_FOR, CODES_PER_DAY, CODES_PER_LINK
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import one_at_a_time, run, transaction
from escrow.registry.pages.page_links import PageLink, PageLinks
from escrow.registry.tables import SmsCodeRow

_SENT = """
SELECT count(*) FILTER (WHERE link_id = :link_id) AS of_link,
    count(*) FILTER (WHERE sent_at > books_now(:platform_no) - interval '24 hours') AS of_day,
    bool_or(link_id = :link_id AND request_no = :request_no AND :request_no <> '') AS repeated
FROM sms_code WHERE platform_no = :platform_no AND member_no = :member_no
"""


class SmsCodes:
    """Makes and checks codes.

    Args:
        recorder: the ledger's connections.
        box: its index key digests the codes, so that a copy of the database alone does not tell them.
        links: what the codes are for.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox, links: PageLinks) -> None:
        self._recorder = recorder
        self._box = box
        self._links = links

    async def make(self, link: PageLink, *, request_no: str | None = None) -> tuple[int, str] | None:
        """Make the link's next code: its number and the code, for nobody but the member's mobile.

        Args:
            request_no: the platform's number where it relays codes; then None is answered when it was asked for before.

        Raises:
            Refused: `sms_code_limit`, with the limit that is reached.
        """
        code = f"{secrets.randbelow(1_000_000):06}"
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, f"sms-code/{link.platform_no}/{link.member_no}")
            known: dict[str, Any] = {"link_id": link.link_id, "platform_no": link.platform_no}
            known |= {"member_no": link.member_no, "request_no": request_no or ""}
            sent = (await run(session, _SENT, **known))[0]
            if sent.repeated:
                return None
            if sent.of_link >= CODES_PER_LINK or sent.of_day >= CODES_PER_DAY:
                limit = "link" if sent.of_link >= CODES_PER_LINK else "day"
                raise Refused("sms_code_limit", "No more codes are sent now.", {"per": limit})
            number = sent.of_link + 1
            now, digest = await books_now_within(session, link.platform_no), self._digest(link, code)
            until = now + CODE_VALID_FOR
            session.add(SmsCodeRow(**known, number=number, code_digest=digest, tries=0, sent_at=now, expires_at=until))
            await self._links.tell(session, link, "code_made", number=number)
        return number, code

    async def verify(self, link: PageLink, code: str) -> None:
        """Return when `code` is the link's newest; every try counts, however many come at once.

        Raises:
            Refused: `sms_code_wrong` with `tries_left`, or `sms_code_none`: none is valid now, or its tries are spent.
        """
        newest = select(SmsCodeRow).where(SmsCodeRow.link_id == link.link_id).order_by(col(SmsCodeRow.number).desc())
        none = Refused("sms_code_none", "No code is valid now: it expired, its tries are spent, or none was sent.")
        async with transaction(self._recorder) as session:
            row = (await session.exec(newest.limit(1).with_for_update())).one_or_none()
            if row is None:
                raise none
            tries = Tries(at_most=CODE_TRIES, made=row.tries, expires_at=row.expires_at)
            is_right = hmac.compare_digest(row.code_digest, self._digest(link, code))
            verdict, after = tries.decide(at=await books_now_within(session, link.platform_no), is_right=is_right)
            row.tries = after.made
        if verdict is Verdict.WRONG:
            raise Refused("sms_code_wrong", "The code is wrong.", {"tries_left": after.left})
        if verdict is not Verdict.RIGHT:
            raise none

    async def was_sent(self, link: PageLink) -> bool:
        """Whether any code was sent for the link."""
        async with transaction(self._recorder) as session:
            return bool(await run(session, "SELECT 1 FROM sms_code WHERE link_id = :id LIMIT 1", id=link.link_id))

    def _digest(self, link: PageLink, code: str) -> bytes:
        return self._box.blind_index(code, field=f"{link.platform_no}/sms_code/{link.link_id}")
