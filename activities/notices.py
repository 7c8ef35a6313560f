"""Text messages to members: deduplicated by request number, written here, never holding money up."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeat import heartbeating
from escrow.channels.protocols import Sms
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.opening import ORDERS
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.sms_texts import SmsText
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books import known
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.registry.members.members import Members
from escrow.registry.platforms.platforms import Platforms


class RefundCredited(BaseModel):
    """A refund of an order could not go back through its channel; the owner has it in its sub-account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    order_no: str


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


class NoticeActivities:
    """SMS activities."""

    def __init__(self, reader: Reader, texts: Texts) -> None:
        self._reader = reader
        self._texts = texts

    @activity.defn
    async def tell_refund_credited(self, notice: RefundCredited) -> None:
        """Tell the owner that its refund is in its sub-account, as the books have it, once.

        Raises:
            Refused: `no_mobile`, or `refund_differs`: the books know of no such refund.
        """
        order = await known(self._reader, ORDERS, notice.platform_no, notice.order_no)
        refund = await get_object(self._reader, notice.platform_no, "refund", notice.order_no)
        if refund is None or refund.status != DirectRefundStatus.CREDITED:
            raise Refused("refund_differs", f"No refund of {notice.order_no} was credited to its owner.")
        config = await self._texts.config(notice.platform_no, order.contract.config_version)
        text = config.sms_texts.render(
            SmsText.REFUND_CREDITED, order_no=notice.order_no, amount=format_fen(refund.body["amount_fen"])
        )
        request_no = derived(notice.order_no, "refund-credited")
        await self._texts.send(notice.platform_no, order.contract.owner_no, request_no, text)
