"""What the tests of the bank say: a house has a custody account, pays, and looks at its lines."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from escrow.channels.protocols import BankLine, Capabilities, PayoutOrder
from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.sandbox import Sandbox
from tests.waiting import saw, until

OPENING_FEN = 1_000_000_000
#: UnionPay's published test card.
CARD = "6216261000000000018"
CNAPS_ICBC = "102100099996"
CNAPS_CUSTODY_BANK = "307584007998"  # its city part is 5840, Shenzhen


@dataclass
class House:
    """A custody account and who speaks for it."""

    sandbox: Sandbox
    platform_no: str
    account_no: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    async def open(cls, sandbox: Sandbox, platform_no: str, *, start_at: str | None = None) -> "House":
        """Open an account and put money in; without a first moment it lives at the bank's time."""
        account_no = await sandbox.steer.open_custody_account(
            reference=platform_no,
            title=f"Platform {platform_no}",
            start_at=None if start_at is None else datetime.fromisoformat(start_at),
        )
        house = cls(sandbox, platform_no, account_no)
        await house.receives(OPENING_FEN)
        return house

    @property
    def bank(self) -> SandboxBank:
        """Our client."""
        return self.sandbox.bank

    async def receives(self, amount_fen: int) -> BankLine:
        """Money comes in from outside."""
        return await self.sandbox.steer.transfer(
            custody_account_no=self.account_no,
            amount_fen=amount_fen,
            account_no="6222020200112233445",
            account_name="王小明",
            remark="装修款",
        )

    def order(self, amount_fen: int = 100_000, rail: Rail = Rail.IBPS, **changes: Any) -> PayoutOrder:
        """Make a payout order to a personal card elsewhere, with what is wanted otherwise."""
        order = PayoutOrder(
            request_no=f"{self.platform_no}:W-{next(self._numbers)}:payout:1",
            custody_account_no=self.account_no,
            rail=rail,
            amount_fen=amount_fen,
            account_no=CARD,
            account_name="全渠道",
            is_corporate=False,
            cnaps_code=CNAPS_CUSTODY_BANK if rail in (Rail.IN_BANK, Rail.SHENZHEN_LOCAL) else CNAPS_ICBC,
            purpose_text="装修工程款",
        )
        return replace(order, **changes)

    async def pays(self, order: PayoutOrder) -> PayoutAnswer:
        """Submit and wait for the end."""
        await self.bank.submit(order)
        return await self.ends(order.request_no)

    async def query(self, request_no: str) -> PayoutAnswer:
        """What the bank says of a payout."""
        return await self.bank.query(request_no, custody_account_no=self.account_no)

    async def ends(self, request_no: str) -> PayoutAnswer:
        """Query until the payout has ended."""

        async def ended() -> PayoutAnswer | None:
            answer = await self.query(request_no)
            saw(repr(answer))
            return answer if answer.status in (PayoutStatus.SUCCEEDED, PayoutStatus.FAILED) else None

        return await until(ended, f"the payout {request_no} ends")

    async def now(self) -> datetime:
        """The account's time at the bank."""
        return await self.sandbox.steer.clock(self.account_no)

    async def waits_until(self, moment: datetime) -> datetime:
        """Let the account's time be `moment`."""
        return await self.sandbox.steer.move_clock(self.account_no, to=moment)

    async def lets_pass(self, span: timedelta) -> datetime:
        """Let so much of the account's time pass."""
        return await self.sandbox.steer.move_clock(self.account_no, by=span)

    async def capabilities(self) -> Capabilities:
        """What the bank says of its rails now."""
        return await self.bank.capabilities(self.account_no)

    async def lines(self) -> Sequence[BankLine]:
        """All lines after the opening one."""
        return await self.bank.lines_after(self.account_no, 1)

    async def balance_fen(self) -> int:
        """Balance the bank answers."""
        return await self.bank.balance_fen(self.account_no)
