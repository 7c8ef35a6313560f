"""Text messages to members: deduplicated by request number, written here, never holding money up."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeat import heartbeating
from activities.recorded_withdrawal import recorded_withdrawal
from activities.signed_order import signed_order
from escrow.channels.protocols import Sms
from escrow.domain.calendars import SHANGHAI
from escrow.domain.errors import Refused
from escrow.domain.money import format_fen
from escrow.domain.requests import derived
from escrow.ledger.engine import Reader
from escrow.ledger.members import Members
from escrow.ledger.platforms import Platforms


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
    """A withdrawal above the platform's threshold was accepted. `member_no` empty: the platform's own money."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    withdrawal_no: str
    member_no: str
    principal_fen: int
    requested_at: AwareDatetime


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
        text = (
            f"订单{reminder.order_no}第{reminder.milestone}阶段({reminder.milestone_name})已报完工，"
            f"金额{format_fen(reminder.amount_fen)}元。如无异议，将于{_local(reminder.due_at)}自动验收并付款；"
            "如需整改，请在此之前提出。"
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
        text = (
            f"您于{_local(withdrawal.requested_at)}申请提现{format_fen(withdrawal.principal_fen)}元"
            f"(提现号{withdrawal.withdrawal_no})，已受理。如非本人操作，请立即联系平台。"
        )
        platform = await self._platforms.get(withdrawal.platform_no)
        member_no = "" if platform.config.sms_contact == "platform" else withdrawal.member_no
        await self._send(withdrawal.platform_no, member_no, derived(withdrawal.withdrawal_no, "sms"), text)

    async def _send(self, platform_no: str, member_no: str, request_no: str, text: str) -> None:
        if member_no:
            mobile = (await self._members.get(platform_no, member_no)).mobile
        else:
            mobile = (await self._platforms.get(platform_no)).contact_mobile
        if not mobile:
            raise Refused("no_mobile", "No mobile number is recorded for the recipient; record one for next time.")
        async with heartbeating():
            await self._sms.send(request_no=f"{platform_no}/{request_no}", mobile=mobile, text=text)


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
