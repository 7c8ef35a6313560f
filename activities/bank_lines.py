"""Activities that bring the bank's own custody lines into our books, each line once."""

from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.bank_book import BankBook
from activities.heartbeat import heartbeating
from activities.settlements import Settlements
from escrow.domain.errors import BankDeclined, BankUnreachable, LedgerBusy, Refused
from escrow.domain.members import verification_recipes
from escrow.domain.members.states import MAY, MemberStatus, Permission
from escrow.domain.money import recipes
from escrow.domain.money.journal import Basis, Change, JournalEntry, Posting, StandsOn
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from escrow.domain.requests import derived
from escrow.ledger.attention import BANK, BANK_LINE, call_person, person_came
from escrow.ledger.bank_lines import StoredBankLine
from escrow.ledger.charges import cover_bank_charges
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Recorder
from escrow.ledger.objects import known_object
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.progress import ObjectKey
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.accounts.rows import BankAccount
from escrow.registry.accounts.verification_sendings import VerificationSendings
from escrow.registry.platforms.platforms import Platforms

#: Kinds of lines that the watch books; the line of a payout is booked by its withdrawal.
BOOKED_BY_WATCH = ("inbound", "charge", "return", "settlement", "micro_deposit", "micro_deposit_return")
_log = structlog.get_logger(__name__)


class LineRef(BaseModel):
    """Names one stored bank line; the counterparty stays in the ledger."""

    model_config = ConfigDict(frozen=True)

    platform_no: str
    bank_serial_no: str
    kind: str


class BankLineActivities:
    """Reads custody lines from the bank and books them."""

    def __init__(
        self,
        writer: LedgerWriter,
        recorder: Recorder,
        book: BankBook,
        accounts: BankAccounts,
        platforms: Platforms,
        settlements: Settlements,
        sendings: VerificationSendings,
    ) -> None:
        self._writer = writer
        self._recorder = recorder
        self._bank_book = book
        self._accounts = accounts
        self._platforms = platforms
        self._settlements = settlements
        self._sendings = sendings

    @activity.defn
    async def fetch_bank_lines(self, platform_no: str) -> list[LineRef]:
        """Store the bank's new lines and name those that are to be booked, in the bank's order.

        Raises:
            BankDeclined, BankUnreachable, Refused: look again later; after a day of that a person is called.
        """
        key = ObjectKey(platform_no=platform_no, kind=BANK, object_no=platform_no)
        try:
            async with heartbeating():
                await self._bank_book.bring_up_to_date(platform_no)
        except (BankDeclined, BankUnreachable, Refused) as no:
            await call_person(self._recorder, key, f"the bank's list of lines cannot be read: {no.message}")
            raise
        await person_came(self._recorder, key)
        unposted = await self._bank_book.unposted(platform_no, BOOKED_BY_WATCH)
        return [
            LineRef(platform_no=platform_no, bank_serial_no=line.bank_serial_no, kind=line.kind) for line in unposted
        ]

    @activity.defn
    async def book_bank_line(self, ref: LineRef) -> bool:
        """Book one stored line; False when it was booked before.

        A transfer from a bound account is credited to its member, any other waits in suspense; a charge of the
        bank is booked and made good from fees, then from the platform's own money, now or when there is some. A
        channel's settlement clears what the channel owes, and its fee is a charge. A micro-deposit is paid from the
        platform's own money, and comes back there when it is returned.

        Raises:
            BankDeclined, Refused: the bank or a rule says no; a person is called for the line, until it is booked.
            LedgerBusy, LedgerUnavailable: repeat.
        """
        key = ObjectKey(platform_no=ref.platform_no, kind=BANK_LINE, object_no=ref.bank_serial_no)
        try:
            booked = await self._booked(ref)
        except (BankDeclined, Refused) as no:
            await call_person(self._recorder, key, f"the {ref.kind} line cannot be booked: {no.message}")
            raise
        await person_came(self._recorder, key)
        return booked

    async def _booked(self, ref: LineRef) -> bool:
        line = await self._bank_book.line(ref.platform_no, ref.bank_serial_no)
        if line.kind == "charge":
            booked = await self._book(line, self._charge(line), "bank_charge.booked", {})
            await self._cover_charges(line.platform_no)
            return booked
        if line.kind == "settlement":
            entry, told = await self._settlements.entry_of(line)
            booked = await self._book(line, entry, "settlement.booked", told)
            await self._cover_charges(line.platform_no)
            return booked
        if line.kind in ("micro_deposit", "micro_deposit_return"):
            return await self._book_micro_deposit(line)
        entry, member_no, has_read = await self._credit(line)
        event_type = "bank_credit.credited" if member_no is not None else "bank_credit.suspended"
        booked = await self._book(line, entry, event_type, {"member_no": member_no}, has_read=has_read)
        if member_no == "":
            await self._cover_charges(line.platform_no)
        return booked

    async def _cover_charges(self, platform_no: str) -> None:
        owed_fen = await cover_bank_charges(self._recorder, self._writer, platform_no)
        if owed_fen:
            _log.warning("bank_charges_owed", platform_no=platform_no, owed_fen=owed_fen)

    async def _book_micro_deposit(self, line: StoredBankLine) -> bool:
        """Book a micro-deposit or its return. Its event does not tell the amount: that is for its receiver to say."""
        returned = line.kind == "micro_deposit_return"
        verification_no = await self._sendings.paid_for(line.platform_no, line.request_no)
        if verification_no is None:
            raise Refused("bank_line_unexplained", f"Nothing of ours explains the {line.kind} {line.bank_serial_no}.")
        make = verification_recipes.micro_deposit_returned if returned else verification_recipes.micro_deposit_sent
        entry = make(
            platform_no=line.platform_no,
            amount_fen=abs(line.amount_fen),
            bank_serial_no=line.bank_serial_no,
            effective_date=line.value_date,
        )
        event_type = "micro_deposit.returned" if returned else "micro_deposit.booked"
        told = {"verification_no": verification_no}
        if returned:
            # First, so that no account is verified any more by a deposit whose return the books show.
            await self._sendings.returned(line.platform_no, line.request_no)
        return await self._book(line, entry, event_type, told, tells_amount=False)

    async def _book(
        self,
        line: StoredBankLine,
        entry: JournalEntry,
        event_type: str,
        body: Mapping[str, Any],
        *,
        tells_amount: bool = True,
        has_read: tuple[StandsOn, ...] = (),
    ) -> bool:
        kind, status = event_type.split(".")
        amount = {"amount_fen": abs(line.amount_fen)} if tells_amount else {}
        posting = Posting(
            platform_no=line.platform_no,
            request_no=derived("bank-line", line.bank_serial_no),
            content={"bank_serial_no": line.bank_serial_no, "amount_fen": line.amount_fen},
            entry=entry,
            changes=(
                Change(
                    kind=kind,
                    object_no=line.bank_serial_no,
                    event_type=event_type,
                    status=status,
                    body={**amount, "line_kind": line.kind, **body},
                    must_be_new=True,
                ),
            ),
            bases=(Basis(kind="bank_line", reference=line.bank_serial_no),),
            stands_on=has_read,
        )
        try:
            receipt = await self._writer.post(posting)
        except Refused as refusal:
            if refusal.code != "moved":
                raise
            raise LedgerBusy("ledger_busy", f"Whose the line {line.bank_serial_no} is has just changed.") from refusal
        return not receipt.repeated

    async def _credit(self, line: StoredBankLine) -> tuple[JournalEntry, str | None, tuple[StandsOn, ...]]:
        """The entry of an inbound line, whose it is (empty: the platform, None: nobody), and what was read for it."""
        holder = None
        if line.kind == "inbound" and line.counterparty_account_no:
            holder = await self._accounts.holder_of(line.platform_no, line.counterparty_account_no)
        platform = await self._platforms.get(line.platform_no)
        has_read = None if holder is None else await self._credited_on(holder, platform.config)
        if holder is None or has_read is None:
            entry = recipes.credit_suspended(
                platform_no=line.platform_no,
                amount_fen=line.amount_fen,
                bank_serial_no=line.bank_serial_no,
                effective_date=line.value_date,
            )
            return entry, None, ()
        if not holder.member_no:
            entry = recipes.own_credited(
                platform_no=line.platform_no,
                amount_fen=line.amount_fen,
                bank_serial_no=line.bank_serial_no,
                effective_date=line.value_date,
            )
            return entry, "", has_read
        next_day = platform.config.top_up_settlement == "T+1"
        entry = recipes.top_up_credited(
            platform_no=line.platform_no,
            member_no=holder.member_no,
            amount_fen=line.amount_fen,
            bank_serial_no=line.bank_serial_no,
            effective_date=line.value_date,
            pending_day=await accounting_day(self._recorder, line.platform_no) if next_day else None,
        )
        return entry, holder.member_no, has_read

    async def _credited_on(self, holder: BankAccount, config: PlatformConfig) -> tuple[StandsOn, ...] | None:
        """What crediting a recognised transfer stands on; None where it waits in suspense, for an operator."""
        if not holder.member_no:
            return ()
        member = await known_object(self._recorder, holder.platform_no, "member", holder.member_no)
        may_receive = Permission.RECEIVE in MAY[MemberStatus(member.status)]
        if not (may_receive and config.functions.is_on(Function.OFFLINE_TRANSFER)):
            return None
        return (StandsOn(kind="member", object_no=holder.member_no, version=member.sequence_no),)

    def _charge(self, line: StoredBankLine) -> JournalEntry:
        return recipes.bank_charge_booked(
            platform_no=line.platform_no,
            amount_fen=-line.amount_fen,
            bank_serial_no=line.bank_serial_no,
            effective_date=line.value_date,
        )
