"""Text messages to members: deduplicated by request number, written here, never holding money up."""

from datetime import datetime

from activities.heartbeat import heartbeating
from escrow.channels.protocols import Sms
from escrow.domain.errors import Refused
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.time.calendars import SHANGHAI
from escrow.registry.members.members import Members
from escrow.registry.platforms.platforms import Platforms


class Texts:
    """Sends text messages, once for each number."""

    def __init__(self, sms: Sms, members: Members, platforms: Platforms) -> None:
        self._sms = sms
        self._members = members
        self._platforms = platforms

    async def config(self, platform_no: str, version: int) -> PlatformConfig:
        """What was begun keeps the texts of the configuration it was begun under."""
        configurations = self._platforms.configurations
        found = await (configurations.version(platform_no, version) if version else configurations.current(platform_no))
        return found.config

    async def send(self, platform_no: str, member_no: str, request_no: str, text: str) -> None:
        """Send a text once for its number.

        Args:
            member_no: empty for the platform's contact person.

        Raises:
            Refused: `no_mobile`.
            BankUnreachable, OutcomeUnknown: send it again under the same number.
        """
        platform = await self._platforms.get(platform_no)
        mobile = (await self._members.get(platform_no, member_no)).mobile if member_no else platform.contact_mobile
        if not mobile:
            raise Refused("no_mobile", "No mobile number is recorded for the recipient; record one for next time.")
        async with heartbeating():
            await self._sms.send(
                request_no=f"{platform_no}/{request_no}",
                custody_account_no=platform.custody_account_no,
                mobile=mobile,
                text=text,
            )


def local_time(at: datetime) -> str:
    """A moment as texts name it, in Shanghai."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
