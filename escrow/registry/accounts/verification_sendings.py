"""What is sent for account verifications: micro-deposits and codes, counted before they leave."""

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.verification import CameBack, WasSent
from escrow.domain.members.verification_rules import (
    MICRO_DEPOSIT_MAX_FEN,
    VerificationMethod,
    VerificationStatus,
    require_sending_allowed,
    require_waiting,
)
from escrow.domain.money.journal import Posting
from escrow.domain.requests import derived
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import one_at_a_time, run, transaction
from escrow.registry.accounts.verifications import AccountVerifications
from escrow.registry.tables import BankAccountRow, VerificationSendingRow

#: What the platform's own sub-account holds, less what micro-deposits may take that the bank has not booked yet.
_FREE_OWN_FEN = """
SELECT coalesce((SELECT balance_fen FROM account WHERE platform_no = :platform_no AND purpose = 'own'), 0)
    - :each_fen * (
        SELECT count(*) FROM verification_sending s
        JOIN account_verification v ON v.platform_no = s.platform_no AND v.verification_no = s.verification_no
        WHERE s.platform_no = :platform_no AND v.method = 'micro_deposit' AND s.status IN ('opened', 'sent')
        AND NOT EXISTS (SELECT 1 FROM bank_line b WHERE b.platform_no = s.platform_no
            AND b.request_no = s.bank_request_no AND b.kind = 'micro_deposit' AND b.entry_id IS NOT NULL)
    ) AS free_fen
"""
_WAITS = (VerificationStatus.ASKED, VerificationStatus.SENT)


class VerificationSendings:
    """Keeps what was sent.

    Args:
        recorder: the ledger's connections.
        verifications: what it was sent for.
    """

    def __init__(self, recorder: Recorder, verifications: AccountVerifications) -> None:
        self._recorder = recorder
        self._verifications = verifications

    async def open(self, platform_no: str, verification_no: str, request_no: str, *, occurred_at: datetime) -> None:
        """Count a sending before it is made. A repeat counts once.

        Raises:
            Refused: `verification_too_soon`, `verification_day_limit`, `verification_state`, `account_not_bound`,
                or `insufficient_balance`: a micro-deposit is paid from the platform's own sub-account.
        """
        async with transaction(self._recorder) as session:
            # One at a time on the platform: all its micro-deposits are paid from one sub-account.
            await one_at_a_time(session, f"verification_sending/{platform_no}")
            row = await self._verifications.locked(session, platform_no, verification_no)
            sendings = await self._sendings(session, platform_no, row.account_no_index)
            own = [sending for sending in sendings if sending.verification_no == verification_no]
            if any(sending.request_no == request_no for sending in own):
                return
            if row.status != VerificationStatus.ASKED:
                require_waiting(VerificationStatus(row.status))
            account = await session.get(BankAccountRow, (platform_no, row.account_id))
            if account is None or account.unbound_at is not None:
                raise Refused("account_not_bound", f"Account {row.account_id} is no longer bound.")
            require_sending_allowed([sending.opened_at for sending in sendings], now=occurred_at)
            if row.method == VerificationMethod.MICRO_DEPOSIT:
                await _require_own_money(session, platform_no)
            number = len(own) + 1
            # A code is sent again for the same check at the bank; a deposit is another one.
            bank_number = number if row.method == VerificationMethod.MICRO_DEPOSIT else 1
            bank_request_no = derived(f"{platform_no}/{verification_no}", row.method, bank_number)
            session.add(
                VerificationSendingRow(
                    platform_no=platform_no,
                    verification_no=verification_no,
                    number=number,
                    request_no=request_no,
                    bank_request_no=bank_request_no,
                    account_no_index=row.account_no_index,
                    status="opened",
                    opened_at=occurred_at,
                )
            )

    async def due(self, platform_no: str, verification_no: str, request_no: str) -> tuple[int, str] | None:
        """What is to be sent for a request that was counted: its number and its request number at the bank.

        None where nothing is: it was sent or failed, or the verification has ended.

        Raises:
            Refused: `not_found`: nobody wished for it.
        """
        sending = await self._sending(platform_no, verification_no, request_no)
        if sending is None:
            raise Refused("not_found", f"Nobody wished for another sending as {request_no}.")
        verification = await self._verifications.get(platform_no, verification_no)
        if sending.status != "opened" or verification.status not in _WAITS:
            return None
        return sending.number, sending.bank_request_no

    async def require_sent(self, platform_no: str, verification_no: str, request_no: str) -> bool:
        """Whether it is known that the bank has sent what was counted for a request.

        Raises:
            Refused: `verification_not_sent`, with the bank's code.
        """
        sending = await self._sending(platform_no, verification_no, request_no)
        if sending is not None and sending.status == "failed":
            raise Refused("verification_not_sent", "The bank did not send it.", {"reason": sending.declined})
        return sending is not None and sending.status == "sent"

    async def _sending(self, platform_no: str, verification_no: str, request_no: str) -> VerificationSendingRow | None:
        query = select(VerificationSendingRow).where(
            VerificationSendingRow.platform_no == platform_no,
            VerificationSendingRow.verification_no == verification_no,
            VerificationSendingRow.request_no == request_no,
        )
        async with self._recorder.session() as session:
            return (await session.exec(query)).one_or_none()

    async def was_sent(self, platform_no: str, verification_no: str, number: int) -> None:
        """Record that a sending was made; a second time changes nothing."""

        async def keep(session: AsyncSession, posting: Posting) -> None:
            await _ended(session, platform_no, verification_no, number, "sent")

        taken = await self._verifications.take(platform_no, verification_no, WasSent(number=number), beside=keep)
        if taken.refusal is not None:  # it has ended meanwhile
            async with transaction(self._recorder) as session:
                await _ended(session, platform_no, verification_no, number, "sent")

    async def was_not_sent(self, platform_no: str, verification_no: str, number: int, declined: str) -> None:
        """Record that the bank did not make a sending, by which code of the bank's; a second time changes nothing."""
        async with transaction(self._recorder) as session:
            await _ended(session, platform_no, verification_no, number, "failed", declined)

    async def returned(self, platform_no: str, bank_request_no: str) -> str | None:
        """Which verification a micro-deposit was sent for, None for none; it ends when its newest one is returned."""
        query = select(VerificationSendingRow).where(
            VerificationSendingRow.platform_no == platform_no,
            VerificationSendingRow.bank_request_no == bank_request_no,
        )
        async with self._recorder.session() as session:
            sending = (await session.exec(query)).one_or_none()
        if sending is None:
            return None
        await self._verifications.take(platform_no, sending.verification_no, CameBack(number=sending.number))
        return sending.verification_no

    async def paid_for(self, platform_no: str, bank_request_no: str) -> str | None:
        """Which verification a micro-deposit of this number at the bank was sent for, None for none."""
        query = select(VerificationSendingRow.verification_no).where(
            VerificationSendingRow.platform_no == platform_no,
            VerificationSendingRow.bank_request_no == bank_request_no,
        )
        async with self._recorder.session() as session:
            return (await session.exec(query)).one_or_none()

    async def _sendings(
        self, session: AsyncSession, platform_no: str, account_no_index: bytes
    ) -> list[VerificationSendingRow]:
        query = select(VerificationSendingRow).where(
            VerificationSendingRow.platform_no == platform_no,
            VerificationSendingRow.account_no_index == account_no_index,
        )
        return list((await session.exec(query)).all())


async def _ended(
    session: AsyncSession, platform_no: str, verification_no: str, number: int, status: str, declined: str | None = None
) -> None:
    sending = await session.get_one(VerificationSendingRow, (platform_no, verification_no, number))
    if sending.status == "opened":
        sending.status, sending.declined = status, declined or ""


async def newest_sent(session: AsyncSession, platform_no: str, verification_no: str) -> VerificationSendingRow | None:
    """The sending that the account's holder is to answer."""
    query = (
        select(VerificationSendingRow)
        .where(
            VerificationSendingRow.platform_no == platform_no,
            VerificationSendingRow.verification_no == verification_no,
            VerificationSendingRow.status == "sent",
        )
        .order_by(col(VerificationSendingRow.number).desc())
        .limit(1)
    )
    return (await session.exec(query)).one_or_none()


async def _require_own_money(session: AsyncSession, platform_no: str) -> None:
    free = await run(session, _FREE_OWN_FEN, platform_no=platform_no, each_fen=MICRO_DEPOSIT_MAX_FEN)
    if free[0].free_fen < MICRO_DEPOSIT_MAX_FEN:
        raise Refused(
            "insufficient_balance",
            "A micro-deposit is paid from the platform's own sub-account, which does not hold 0.50 yuan for it: "
            "transfer money from the platform's own bank account first.",
            {"account": "own", "needed_fen": MICRO_DEPOSIT_MAX_FEN},
        )
