"""Client of the sandbox bank: custody account, payouts and text messages over one pool of connections."""

import time
from collections.abc import Mapping, Sequence
from datetime import date

from pydantic import TypeAdapter, ValidationError

from escrow.channels.protocols import BankLine, BankNotice, Capabilities, PayoutOrder
from escrow.channels.sandbox_bank import signing
from escrow.channels.sandbox_bank.capabilities import CapabilitiesAnswer
from escrow.channels.sandbox_bank.connection import BankConnection, data_of, path, unreadable
from escrow.channels.sandbox_bank.messages import (
    NOTICE_KINDS,
    Balance,
    Empty,
    Line,
    Notice,
    PayoutState,
    payout_message,
)
from escrow.channels.sandbox_collections.client import SandboxCollections
from escrow.channels.sandbox_registry.client import SandboxRegistry
from escrow.channels.sandbox_verification.client import SandboxVerification
from escrow.domain.errors import BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.withdrawals.payouts import PayoutAnswer

_LINES = TypeAdapter(list[Line])


class SandboxBank:
    """Implements `Custody`, `Payouts` and `Sms`; close it with `aclose()`.

    Over the same connection: `collections` implements `Collections`, `registry` implements `IdentityRegistry`,
    `verification` implements `AccountVerification`.

    Args:
        base_url: where the bank listens, without a path.
        key: secret of the connection, the same at the bank.
        connect_timeout_seconds: after it a call counts as never sent.
        read_timeout_seconds: after it a call counts as sent and unanswered.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        connect_timeout_seconds: float = 2.0,
        read_timeout_seconds: float = 10.0,
    ) -> None:
        self._connection = BankConnection(
            base_url,
            key,
            connect_timeout_seconds=connect_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
        )
        self.collections = SandboxCollections(self._connection)
        self.registry = SandboxRegistry(self._connection)
        self.verification = SandboxVerification(self._connection)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    async def balance_fen(self, custody_account_no: str) -> int:
        """Booked balance of the custody account in fen.

        Raises:
            BankDeclined: the bank does not know the account.
            BankUnreachable: no readable answer; ask again.
        """
        return yuan((await self._connection.ask(path("custody", custody_account_no, "balance"), Balance)).bal)

    async def lines_after(self, custody_account_no: str, line_no: int, limit: int = 200) -> Sequence[BankLine]:
        """Lines with a number above `line_no`, ascending, at most `limit`; raises as `balance_fen`."""
        target = path("custody", custody_account_no, "lines", after=line_no, limit=limit)
        answer = await self._connection.repeatable("GET", target)
        try:
            return [line.as_bank_line() for line in _LINES.validate_python(answer)]
        except ValidationError as error:
            raise unreadable(error) from error

    async def statement_camt053(self, custody_account_no: str, day: date) -> bytes:
        """The bank's statement of `day` (Asia/Shanghai) as camt.053 XML; raises as `balance_fen`."""
        target = path("custody", custody_account_no, "statement", day=day.isoformat())
        try:
            answer = await self._connection.call("GET", target)
        except OutcomeUnknown as error:
            raise BankUnreachable(error.code, error.message) from error
        if answer.headers.get("content-type") != "application/xml":
            data_of(answer)
            raise BankUnreachable("bank_answer_unreadable", "The bank sent no statement; ask again.")
        return answer.content

    async def capabilities(self, custody_account_no: str) -> Capabilities:
        """Rails, caps, hours and health at this moment of the account's clock; raises as `balance_fen`."""
        target = path("capabilities", acctNo=custody_account_no)
        return (await self._connection.ask(target, CapabilitiesAnswer)).as_capabilities()

    async def submit(self, order: PayoutOrder) -> PayoutAnswer:
        """Send a payout once; see the protocol for what its three errors mean."""
        return (await self._connection.command(path("payouts"), payout_message(order), PayoutState)).as_answer()

    async def query(self, request_no: str, *, custody_account_no: str = "") -> PayoutAnswer:
        """State of the payout with this number; raises as `balance_fen`.

        Args:
            custody_account_no: may be left out of the query of a number that the bank knows.
        """
        target = path("payouts", reqSeq=request_no, acctNo=custody_account_no)
        return (await self._connection.ask(target, PayoutState)).as_answer()

    async def send(self, *, request_no: str, custody_account_no: str, mobile: str, text: str) -> None:
        """Send a text message once per request number.

        A lost answer is `BankUnreachable` too: the bank keeps each number once, so repeating is always safe.

        Raises:
            BankDeclined: the number was used for another message, or the message is malformed.
            BankUnreachable: no readable answer; send again under the same number.
        """
        content = {"reqSeq": request_no, "acctNo": custody_account_no, "mobile": mobile, "text": text}
        await self._connection.ask(path("sms"), Empty, content)

    def verify_notice(self, headers: Mapping[str, str], body: bytes) -> BankNotice:
        """Check a notice's signature and age and read it.

        Raises:
            Refused: `notice_signature_invalid`, `notice_too_old` or `notice_unreadable`.
        """
        return verify_notice(self._connection.key, headers, body)


def verify_notice(key: bytes, headers: Mapping[str, str], body: bytes) -> BankNotice:
    """Check a notice's signature and age and read it, without a client; raises as `SandboxBank.verify_notice`.

    Args:
        headers: of the HTTP request, in a mapping that does not regard case.
    """
    notice_id = signing.check_notice(key, headers, body, now_unix_seconds=time.time())
    try:
        notice = Notice.model_validate_json(body)
    except ValidationError as error:
        raise Refused("notice_unreadable", "The notice is signed but is no notice we know.") from error
    return BankNotice(
        notice_id=notice_id,
        kind=NOTICE_KINDS[notice.kind],
        custody_account_no=notice.acct_no,
        request_no=notice.req_seq,
    )
