"""What the tests of money in say: a cashier opens collections for a house, and payers pay them."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from escrow.channels.collections import CollectionOrder, CollectionRefundOrder, MandateOrder, Payer
from escrow.channels.sandbox_collections.client import SandboxCollections
from escrow.domain.collections.methods import (
    CollectionAnswer,
    CollectionMethod,
    MandateAnswer,
    RefundAnswer,
    RefundStatus,
    StatusAtChannel,
)
from tests.channels.numbers import card_of, citizen_id
from tests.channels.statements import House
from tests.waiting import saw, until

PAYER = Payer(account_no=card_of("622202"), account_name="赵业主", citizen_id=citizen_id("101"), mobile="13900001111")
_ENDED = (StatusAtChannel.PAID, StatusAtChannel.FAILED, StatusAtChannel.CLOSED)


@dataclass
class Cashier:
    """Collects for one house."""

    house: House
    taken: int = 0

    @property
    def channel(self) -> SandboxCollections:
        """Our client."""
        return self.house.bank.collections

    async def order(
        self, amount_fen: int = 100_000, method: CollectionMethod = CollectionMethod.QR_WECHAT, **changes: Any
    ) -> CollectionOrder:
        """Make a collection order that is good for an hour of the account's time."""
        self.taken += 1
        order = CollectionOrder(
            request_no=f"{self.house.platform_no}/T-{self.taken}:collect:1",
            custody_account_no=self.house.account_no,
            method=method,
            amount_fen=amount_fen,
            subject="装修款 D-1001",
            expires_at=await self.house.now() + timedelta(hours=1),
            payer=PAYER if method is CollectionMethod.QUICK else None,
        )
        return replace(order, **changes)

    async def opens(self, *arguments: Any, **changes: Any) -> CollectionAnswer:
        """Open a collection."""
        return await self.channel.create(await self.order(*arguments, **changes))

    async def collects(self, *arguments: Any, **changes: Any) -> CollectionAnswer:
        """Open a collection and let the payer pay it."""
        opened = await self.opens(*arguments, **changes)
        return await self.house.sandbox.steer.pay(opened.request_no)

    async def has_mandate(self, payer: Payer = PAYER, number: str = "M-1", **terms: Any) -> MandateAnswer:
        """Sign a mandate that allows a lot for a year."""
        today = (await self.house.now()).date()
        caps = {"per_debit_fen": 100_000_000, "per_day_fen": 100_000_000, "last_day": today + timedelta(days=365)}
        return await self.channel.sign_mandate(
            MandateOrder(
                request_no=f"{self.house.platform_no}/{number}:mandate",
                custody_account_no=self.house.account_no,
                payer=payer,
                **{**caps, **terms},
            )
        )

    async def debits(self, mandate: MandateAnswer, amount_fen: int = 100_000, channel: str = "") -> CollectionAnswer:
        """Debit under a mandate and wait for the end."""
        answer = await self.opens(
            amount_fen,
            CollectionMethod.DIRECT_DEBIT,
            mandate_no=mandate.mandate_no,
            debit_channel=channel or "UNIONPAY_DEBIT",
        )
        return await self.ends(answer.request_no)

    async def ends(self, request_no: str) -> CollectionAnswer:
        """Query until the collection has ended."""

        async def ended() -> CollectionAnswer | None:
            answer = await self.query(request_no)
            saw(repr(answer))
            return answer if answer.status in _ENDED else None

        return await until(ended, f"the collection {request_no} ends")

    async def query(self, request_no: str) -> CollectionAnswer:
        """What the channel says of a collection."""
        return await self.channel.query(request_no, custody_account_no=self.house.account_no)

    async def query_mandate(self, request_no: str) -> MandateAnswer:
        """What the bank says of a mandate."""
        return await self.channel.query_mandate(request_no, custody_account_no=self.house.account_no)

    async def query_refund(self, request_no: str) -> RefundAnswer:
        """What the channel says of a refund."""
        return await self.channel.query_refund(request_no, custody_account_no=self.house.account_no)

    async def close(self, request_no: str) -> CollectionAnswer:
        """Let no payer pay any more."""
        return await self.channel.close(request_no, custody_account_no=self.house.account_no)

    def refund_order(self, collection: CollectionAnswer, amount_fen: int, number: int = 1) -> CollectionRefundOrder:
        """Make a refund order."""
        return CollectionRefundOrder(
            request_no=f"{collection.request_no}:refund:{number}",
            collection_request_no=collection.request_no,
            amount_fen=amount_fen,
            reason_text="订单取消",
        )

    async def refunds(self, collection: CollectionAnswer, amount_fen: int, number: int = 1) -> RefundAnswer:
        """Refund and wait for the end."""
        order = self.refund_order(collection, amount_fen, number)
        await self.channel.refund(order)

        async def ended() -> RefundAnswer | None:
            answer = await self.query_refund(order.request_no)
            saw(repr(answer))
            return answer if answer.status is not RefundStatus.PROCESSING else None

        return await until(ended, f"the refund {order.request_no} ends")

    async def code_of(self, request_no: str) -> str:
        """The newest code that the payer got by SMS."""
        return await newest_code(self.house, request_no)


async def newest_code(house: House, request_no: str) -> str:
    """Six digits of the newest code sent under a number."""
    outbox = await house.sandbox.steer.sms_outbox()
    texts = [sms.text for sms in outbox if sms.req_seq.startswith(f"{request_no}:code:")]
    return "".join(sign for sign in texts[-1].split(",")[0] if sign.isdigit())


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06d}"
