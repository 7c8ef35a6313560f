"""Client of the sandbox bank's collection channels."""

from escrow.channels.collections import CollectionOrder, CollectionRefundOrder, MandateOrder
from escrow.channels.sandbox_bank.connection import BankConnection, path
from escrow.channels.sandbox_collections.capabilities import CapabilitiesAnswer
from escrow.channels.sandbox_collections.messages import (
    CollectionState,
    MandateState,
    RefundState,
    SettlementContent,
    collection_message,
    mandate_message,
    refund_message,
)
from escrow.domain.collections.methods import (
    CollectionAnswer,
    CollectionCapabilities,
    MandateAnswer,
    RefundAnswer,
    Settlement,
)


class SandboxCollections:
    """Implements `Collections`; the protocol says what its errors mean.

    `custody_account_no` may be left out where the channel knows the number.
    """

    def __init__(self, connection: BankConnection) -> None:
        self._connection = connection

    async def capabilities(self, custody_account_no: str) -> CollectionCapabilities:
        """Methods and debit channels as they are now; raises `BankUnreachable`."""
        target = path("collections", "capabilities", acctNo=custody_account_no)
        return (await self._connection.ask(target, CapabilitiesAnswer)).as_capabilities()

    async def sign_mandate(self, order: MandateOrder) -> MandateAnswer:
        """Register a mandate once per number; without a readable answer `BankUnreachable`: sign again."""
        return (await self._connection.ask(path("mandates"), MandateState, mandate_message(order))).as_answer()

    async def query_mandate(self, request_no: str, *, custody_account_no: str = "") -> MandateAnswer:
        """State of a mandate; raises `BankUnreachable`."""
        target = path("mandates", reqSeq=request_no, acctNo=custody_account_no)
        return (await self._connection.ask(target, MandateState)).as_answer()

    async def revoke_mandate(self, request_no: str, *, custody_account_no: str = "") -> MandateAnswer:
        """Let no further debit be made under a mandate; raises `BankUnreachable`: revoke again."""
        content = {"reqSeq": request_no, "acctNo": custody_account_no}
        return (await self._connection.ask(path("mandates", "revoke"), MandateState, content)).as_answer()

    async def create(self, order: CollectionOrder) -> CollectionAnswer:
        """Open a collection once."""
        content = collection_message(order)
        return (await self._connection.command(path("collections"), content, CollectionState)).as_answer()

    async def confirm(self, request_no: str, code: str) -> CollectionAnswer:
        """Try the SMS code of a quick payment."""
        content = {"reqSeq": request_no, "code": code}
        return (await self._connection.command(path("collections", "confirm"), content, CollectionState)).as_answer()

    async def send_code_again(self, request_no: str) -> CollectionAnswer:
        """Send a new code; without a readable answer `BankUnreachable`, and another code may be sent."""
        target = path("collections", "code")
        return (await self._connection.ask(target, CollectionState, {"reqSeq": request_no})).as_answer()

    async def query(self, request_no: str, *, custody_account_no: str = "") -> CollectionAnswer:
        """State of a collection; raises `BankUnreachable`."""
        target = path("collections", reqSeq=request_no, acctNo=custody_account_no)
        return (await self._connection.ask(target, CollectionState)).as_answer()

    async def close(self, request_no: str, *, custody_account_no: str = "") -> CollectionAnswer:
        """Close a collection; raises `BankUnreachable`: close again."""
        content = {"reqSeq": request_no, "acctNo": custody_account_no}
        return (await self._connection.ask(path("collections", "close"), CollectionState, content)).as_answer()

    async def refund(self, order: CollectionRefundOrder) -> RefundAnswer:
        """Refund once."""
        content = refund_message(order)
        return (await self._connection.command(path("collection-refunds"), content, RefundState)).as_answer()

    async def query_refund(self, request_no: str, *, custody_account_no: str = "") -> RefundAnswer:
        """State of a refund; raises `BankUnreachable`."""
        target = path("collection-refunds", reqSeq=request_no, acctNo=custody_account_no)
        return (await self._connection.ask(target, RefundState)).as_answer()

    async def settlement(self, settlement_no: str) -> Settlement:
        """What a settlement consists of; raises `BankDeclined` (`settlement_unknown`) and `BankUnreachable`."""
        return (await self._connection.ask(path("settlements", settlement_no), SettlementContent)).as_settlement()
