"""Text messages to members: deduplicated by request number, written here, never holding money up."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeat import heartbeating
from activities.recorded_withdrawal import recorded_withdrawal
from activities.signed_order import signed_order
from escrow.channels.protocols import Sms
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.platforms.config import PlatformConfig, SmsContact
from escrow.domain.platforms.sms_texts import SmsText
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.registry.members.members import Members
from escrow.registry.platforms.platforms import Platforms


class OrderReminder(BaseModel):
    """Silence is about to count as acceptance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    order_no: str
    owner_no: str
    milestone: int
    milestone_name: str
    amount_fen: int
    round: int
    due_at: AwareDatetime


class LargeWithdrawal(BaseModel):
    """A withdrawal above the platform's threshold was accepted. `member_no` empty: the platform's own money.

    `config_version`: whose text it is and who is told; 0 for the newest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    withdrawal_no: str
    member_no: str
    principal_fen: int
    requested_at: AwareDatetime
    config_version: int = 0


class RefundCredited(BaseModel):
    """A refund of an order could not go back through its channel; the owner has it in its sub-account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    order_no: str


class NoticeActivities:
    """SMS activities."""

    def __init__(self, reader: Reader, sms: Sms, members: Members, platforms: Platforms) -> None:
        self._reader = reader
        self._sms = sms
        self._members = members
        self._platforms = platforms

    @activity.defn
    async def remind_owner(self, reminder: OrderReminder) -> None:
        """Remind the owner that the stage will be accepted by silence.

        Raises:
            Refused: `no_mobile`, or `contract_differs`: the text would not say what was signed.
        """
        order = await signed_order(self._reader, reminder.platform_no, reminder.order_no)
        signed = {"number": reminder.milestone, "name": reminder.milestone_name, "amount_fen": reminder.amount_fen}
        order.require(owner_no=reminder.owner_no, milestone=signed)
        config = await self._config(reminder.platform_no, int(order.contract["config_version"]))
        text = config.sms_texts.render(
            SmsText.ORDER_REMINDER,
            order_no=reminder.order_no,
            milestone=str(reminder.milestone),
            milestone_name=reminder.milestone_name,
            amount=format_fen(reminder.amount_fen),
            due_at=_local(reminder.due_at),
        )
        request_no = derived(reminder.order_no, f"M{reminder.milestone}", "reminder", reminder.round)
        await self._send(reminder.platform_no, reminder.owner_no, request_no, text)

    @activity.defn
    async def announce_large_withdrawal(self, withdrawal: LargeWithdrawal) -> None:
        """Announce an accepted withdrawal above the threshold, once.

        Raises:
            Refused: `no_mobile`, or `withdrawal_differs`: nobody asked for this.
        """
        asked = await recorded_withdrawal(self._reader, withdrawal.platform_no, withdrawal.withdrawal_no)
        asked.require(member_no=withdrawal.member_no, principal_fen=withdrawal.principal_fen)
        config = await self._config(withdrawal.platform_no, withdrawal.config_version)
        text = config.sms_texts.render(
            SmsText.LARGE_WITHDRAWAL,
            amount=format_fen(withdrawal.principal_fen),
            withdrawal_no=withdrawal.withdrawal_no,
            requested_at=_local(withdrawal.requested_at),
        )
        member_no = "" if config.sms_contact is SmsContact.PLATFORM else withdrawal.member_no
        await self._send(withdrawal.platform_no, member_no, derived(withdrawal.withdrawal_no, "sms"), text)

    @activity.defn
    async def tell_refund_credited(self, notice: RefundCredited) -> None:
        """Tell the owner that its refund is in its sub-account, as the books have it, once.

        Raises:
            Refused: `no_mobile`, or `refund_differs`: the books know of no such refund.
        """
        order = await signed_order(self._reader, notice.platform_no, notice.order_no)
        refund = await get_object(self._reader, notice.platform_no, "refund", notice.order_no)
        if refund is None or refund.status != DirectRefundStatus.CREDITED:
            raise Refused("refund_differs", f"No refund of {notice.order_no} was credited to its owner.")
        config = await self._config(notice.platform_no, int(order.contract["config_version"]))
        text = config.sms_texts.render(
            SmsText.REFUND_CREDITED, order_no=notice.order_no, amount=format_fen(refund.body["amount_fen"])
        )
        request_no = derived(notice.order_no, "refund-credited")
        await self._send(notice.platform_no, str(order.contract["owner_no"]), request_no, text)

    async def _config(self, platform_no: str, version: int) -> PlatformConfig:
        """What was begun keeps the texts of the configuration it was begun under."""
        configurations = self._platforms.configurations
        found = await (configurations.version(platform_no, version) if version else configurations.current(platform_no))
        return found.config

    async def _send(self, platform_no: str, member_no: str, request_no: str, text: str) -> None:
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


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
