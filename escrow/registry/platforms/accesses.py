"""Over which lines platforms may call: kept in the platform's object, changed by an operator, each change an event."""

import time
from collections.abc import Callable

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Change, Posting
from escrow.domain.platforms.access import PlatformAccess, access_of
from escrow.domain.requests import derived
from escrow.ledger.engine import Recorder
from escrow.ledger.objects import get_object
from escrow.ledger.posting import one_at_a_time, post_within, transaction
from escrow.ledger.tables import BusinessObjectRow

#: How long what was read is taken for true; so much longer a certificate that was removed may work.
_KNOWN_SECONDS = 1.0


class PlatformAccesses:
    """Reads and changes the access of platforms.

    Args:
        recorder: the ledger's connections.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known: dict[str, tuple[PlatformAccess, float]] = {}

    async def of_caller(self, platform_no: str) -> PlatformAccess:
        """Access of a platform as it was within the last second, for every call that comes in.

        Raises:
            Refused: `not_found`.
        """
        now = time.monotonic()
        known, until = self._known.get(platform_no, (None, 0.0))
        if known is None or now >= until:
            known = await self.get(platform_no)
            self._known[platform_no] = (known, now + _KNOWN_SECONDS)
        return known

    async def get(self, platform_no: str) -> PlatformAccess:
        """Access of a platform now.

        Raises:
            Refused: `not_found`.
        """
        platform = await get_object(self._recorder, platform_no, "platform", platform_no)
        if platform is None:
            raise _not_found(platform_no)
        return access_of(platform.body)

    async def change(
        self, platform_no: str, to_what: Callable[[PlatformAccess], PlatformAccess]
    ) -> tuple[PlatformAccess, bool]:
        """Change the access of a platform; the flag says whether it is another one now.

        Args:
            to_what: the new access, given the one of now; what it refuses is not done.

        Raises:
            Refused: `not_found`, or what `to_what` refuses.
        """
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, f"access/{platform_no}")
            row = await session.get(BusinessObjectRow, (platform_no, "platform", platform_no))
            if row is None:
                raise _not_found(platform_no)
            before, version = access_of(row.body), row.body.get("access_version", 0)
            after = to_what(before)
            if after != before:
                await post_within(session, _posting(platform_no, after, version + 1))
        return after, after != before


def _posting(platform_no: str, access: PlatformAccess, version: int) -> Posting:
    document = access.model_dump(mode="json")
    return Posting(
        platform_no=platform_no,
        request_no=derived("", "platform", "access", version),
        content={"access": document},
        changes=(
            Change(
                kind="platform",
                object_no=platform_no,
                event_type="platform.access_changed",
                status="open",
                body={"access": document, "access_version": version},
            ),
        ),
    )


def _not_found(platform_no: str) -> Refused:
    return Refused("not_found", f"There is no platform {platform_no}.")
