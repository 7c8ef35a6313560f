"""`Escrow`: one platform's server and its members, over HTTP; small, typed, and idempotent like the API.

    order = await escrow.open_order("D-1", owner="O-1", contractor="C-1", total_fen=18_600_000)
    await escrow.transfer("O-1", 18_600_000)
    await escrow.pay("D-1", by="O-1")
    await escrow.skip(days=7)

Whatever happens by itself is waited for with `until`; a no of the API is a `Refusal` with its code.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from escrow.domain.time.calendars import SHANGHAI
from escrow.testing import calls
from escrow.testing.answers import (
    Attention,
    Batch,
    Commanded,
    Event,
    Order,
    Statement,
    SubAccounts,
    TopUp,
    Withdrawal,
)
from escrow.testing.calls import Call
from escrow.testing.connection import AwaitsMember, Refusal
from escrow.testing.members import MemberCalls, MemberKind, Person, PlatformUnderTest
from escrow.testing.pages import HostedPages
from escrow.testing.waiting import DidNotHappen, until

#: In whose name a self-operated platform works.
PLATFORM = "platform"
_PAGE = 200
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)

__all__ = [
    "PLATFORM",
    "AwaitsMember",
    "DidNotHappen",
    "Escrow",
    "MemberKind",
    "Person",
    "PlatformUnderTest",
    "Refusal",
    "until",
]


class Escrow(MemberCalls):
    """Everything that a story does and sees; numbers of objects are the platform's, amounts are fen."""

    until = staticmethod(until)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.connection.aclose()
        await self.bank.aclose()

    # ---- time ----

    async def now(self) -> datetime:
        """The platform's present moment, in Shanghai: what books, bank and workflows go by."""
        return (await self.connection.call(calls.GET_CLOCK)).now.astimezone(SHANGHAI)

    async def skip(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, until: datetime | None = None
    ) -> datetime:
        """Let time pass for the platform, its bank and all that it waits for; answers what it is then.

        Whatever falls due on the way happens at its hour.

        Args:
            until: to a moment instead of by a span, timezone-aware.
        """
        spans = {name: span for name, span in (("days", days), ("hours", hours), ("minutes", minutes)) if span}
        return await self._skipped(spans if until is None else {"until": until.isoformat()})

    async def skip_to_deadline(self, **of: str) -> datetime:
        """Let time pass until the next deadline of one object has come: `order_no=`, `withdrawal_no=` …"""
        return await self._skipped(of)

    async def _skipped(self, how_far: Mapping[str, float | str]) -> datetime:
        body = {"request_no": self.connection.next_request_no(), **how_far}
        return (await self.connection.call(calls.SKIP, body)).now.astimezone(SHANGHAI)

    # ---- orders ----

    async def open_order(
        self,
        order_no: str,
        *,
        owner: str,
        contractor: str | None,
        total_fen: int,
        milestones: Sequence[Mapping[str, Any]] | None = None,
        **terms: bool | int,
    ) -> Order:
        """Open an order as its parties signed it.

        Args:
            contractor: None where the platform is self-operated.
            milestones: as the API takes them; None for the usual plan.
            terms: `withdraw_automatically`, `inspection_days`, `retention_days`.
        """
        opening: dict[str, Any] = {"order_no": order_no, "owner_no": owner, "total_fen": total_fen, **terms}
        opening |= {} if contractor is None else {"contractor_no": contractor}
        opening |= {} if milestones is None else {"milestones": list(milestones)}
        return await self.connection.call(calls.OPEN_ORDER, opening)

    async def order(self, order_no: str) -> Order:
        """An order as the ledger has it."""
        return await self.connection.call(calls.GET_ORDER, at={"order_no": order_no})

    async def pay(self, order_no: str, *, by: str) -> Commanded:
        """The owner pays in full from its balance."""
        return await self._command(calls.PAY, by, order_no=order_no)

    async def start(self, order_no: str, *, by: str) -> Commanded:
        """The contractor starts to work; a deposit is released."""
        return await self._command(calls.START, by, order_no=order_no)

    async def complete(self, order_no: str, number: int, *, by: str) -> Commanded:
        """The contractor reports a milestone complete."""
        return await self._command(calls.COMPLETE, by, order_no=order_no, number=number)

    async def accept(self, order_no: str, number: int, *, by: str) -> Commanded:
        """The owner accepts a milestone; its money is released."""
        return await self._command(calls.ACCEPT, by, order_no=order_no, number=number)

    async def rectify(self, order_no: str, number: int, *, by: str) -> Commanded:
        """The owner asks for a milestone to be put right; the inspection clock stands still."""
        return await self._command(calls.RECTIFY, by, order_no=order_no, number=number)

    async def cancel(self, order_no: str, *, by: str) -> Commanded:
        """One side cancels, or agrees to the other's wish."""
        return await self._command(calls.CANCEL, by, order_no=order_no)

    async def _command(self, call: Call[Commanded], by: str, **at: str | int) -> Commanded:
        body = {"request_no": self.connection.next_request_no(), "by": by}
        return await self._authorised(by, lambda: self.connection.call(call, body, at=at))

    # ---- money in ----

    async def transfer(self, member_no: str, amount_fen: int) -> None:
        """A member transfers money from its bound account; returns when it is credited."""
        person, before_fen = self.people[member_no], (await self.balances(member_no)).available_fen
        await self.bank.transfer(
            custody_account_no=self.platform.custody_account_no,
            amount_fen=amount_fen,
            account_no=person.account_no,
            account_name=person.name,
        )
        await until(
            lambda: self.balances(member_no),
            lambda now: now.available_fen >= before_fen + amount_fen,
            f"the transfer of {member_no} over {amount_fen} fen is credited",
        )

    async def transfer_from(self, account_no: str, name: str, amount_fen: int) -> str:
        """Somebody transfers money from an account that need not be bound; the bank's serial number."""
        line = await self.bank.transfer(
            custody_account_no=self.platform.custody_account_no,
            amount_fen=amount_fen,
            account_no=account_no,
            account_name=name,
        )
        return line.bank_serial_no

    async def top_up(self, member_no: str, amount_fen: int, *, method: str = "qr_wechat", **more: Any) -> TopUp:
        """Have a channel collect money for a member; it waits for its payer."""
        opening = {"top_up_no": f"T-{next(self._counter)}", "member_no": member_no, "amount_fen": amount_fen}
        return await self.connection.call(calls.OPEN_TOP_UP, {**opening, "method": method, **more})

    async def top_up_now(self, top_up_no: str) -> TopUp:
        """A top-up as it stands."""
        return await self.connection.call(calls.GET_TOP_UP, at={"top_up_no": top_up_no})

    async def pay_directly(self, order_no: str, *, by: str, method: str = "qr_wechat", **more: Any) -> TopUp:
        """Have a channel collect the price of an order; it waits for its payer."""
        body = {"request_no": self.connection.next_request_no(), "by": by, "method": method, **more}
        at = {"order_no": order_no}
        return await self._authorised(by, lambda: self.connection.call(calls.PAY_DIRECTLY, body, at=at))

    async def direct_payment(self, collected: TopUp) -> TopUp:
        """The direct payment of an order as it stands."""
        order_no, _, request_no = collected.top_up_no.split(":")
        return await self.connection.call(calls.GET_DIRECT_PAYMENT, at={"order_no": order_no, "request_no": request_no})

    async def payer_pays(self, collected: TopUp) -> None:
        """The payer scans the code, or follows the link, and pays what is asked."""
        interaction = collected.interaction
        where = (interaction.qr_content or interaction.url) if interaction is not None else ""
        if not where:
            raise DidNotHappen(f"the payer of {collected.top_up_no} is shown nowhere to pay: {collected}")
        async with HostedPages(lambda: self.newest_code("")) as pages:
            await pages.scan_and_pay(where)

    async def payer_pays_anyway(self, collected: TopUp, amount_fen: int) -> None:
        """The payer pays an amount, late or again, whatever state the collection is in at its channel."""
        await self.bank.pay(f"{self.platform.platform_no}/{collected.top_up_no}:collect:1", amount_fen=amount_fen)

    async def pay_together(
        self, order_nos: Sequence[str], *, by: str, method: str | None = None, batch_no: str | None = None
    ) -> Batch:
        """An owner pays several orders in one go: from its balance, or through a channel when a method is named."""
        orders = [
            {"order_no": order_no, "amount_fen": (await self.order(order_no)).total_fen} for order_no in order_nos
        ]
        opening: dict[str, Any] = {
            "batch_no": batch_no or f"B-{next(self._counter)}",
            "payer_no": by,
            "orders": orders,
        }
        opening |= {"collection": {"method": method}} if method else {}
        return await self._authorised(by, lambda: self.connection.call(calls.PAY_TOGETHER, opening))

    async def batch(self, batch_no: str) -> Batch:
        """A batch as it stands."""
        return await self.connection.call(calls.GET_BATCH, at={"batch_no": batch_no})

    # ---- money out ----

    async def withdraw(
        self, member_no: str | None, principal_fen: int, *, withdrawal_no: str | None = None
    ) -> Withdrawal:
        """A member, or with None the platform itself, withdraws to its bank account."""
        asked: dict[str, Any] = {
            "withdrawal_no": withdrawal_no or f"W-{next(self._counter)}",
            "principal_fen": principal_fen,
        }
        asked |= {} if member_no is None else {"member_no": member_no}
        return await self._authorised(member_no, lambda: self.connection.call(calls.WITHDRAW, asked))

    async def withdrawal(self, withdrawal_no: str) -> Withdrawal:
        """A withdrawal as it stands."""
        return await self.connection.call(calls.GET_WITHDRAWAL, at={"withdrawal_no": withdrawal_no})

    async def withdrawals(self) -> list[Withdrawal]:
        """All withdrawals of the platform, its orders' own among them, in the order of their numbers."""
        found: list[Withdrawal] = []
        while True:
            query: dict[str, str | int] = {"limit": _PAGE, "after": found[-1].withdrawal_no if found else ""}
            page = (await self.connection.call(calls.LIST_WITHDRAWALS, query=query)).withdrawals
            found += page
            if len(page) < _PAGE:
                return found

    async def withdrawal_ended(self, withdrawal_no: str) -> Withdrawal:
        """Wait until a withdrawal has ended by itself."""
        return await until(
            lambda: self.withdrawal(withdrawal_no), lambda now: now.has_ended, f"{withdrawal_no} has ended"
        )

    # ---- the books ----

    async def sub_accounts(self) -> SubAccounts:
        """The platform's tree of sub-accounts."""
        return await self.connection.call(calls.GET_SUB_ACCOUNTS)

    async def statement(self, member_no: str, first_day: date = _FIRST_DAY, last_day: date = _LAST_DAY) -> Statement:
        """All lines of a member in a period, by default ever."""
        lines: list[Any] = []
        while True:
            query: dict[str, str | int] = {
                "member_no": member_no,
                "first_day": first_day.isoformat(),
                "last_day": last_day.isoformat(),
                "after": lines[-1].cursor if lines else "",
                "limit": _PAGE,
            }
            page = await self.connection.call(calls.GET_STATEMENT, query=query)
            lines += page.lines
            if len(page.lines) < _PAGE:
                return page.model_copy(update={"lines": tuple(lines)})

    async def attention(self) -> list[Attention]:
        """All that waits for a person."""
        found: list[Attention] = []
        while True:
            query: dict[str, str | int] = {"after": found[-1].cursor if found else "", "limit": _PAGE}
            page = (await self.connection.call(calls.LIST_ATTENTION, query=query)).waiting
            found += page
            if len(page) < _PAGE:
                return found

    async def events(self, after: str = "") -> list[Event]:
        """The platform's events after a cursor, oldest first."""
        found: list[Event] = []
        while True:
            query: dict[str, str | int] = {"after": found[-1].cursor if found else after, "limit": _PAGE}
            page = (await self.connection.call(calls.GET_EVENTS, query=query)).events
            if not page:
                return found
            found += page
