"""Client of the sandbox bank: custody account, payouts and text messages over one pool of connections."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from escrow.channels.protocols import BankLine, BankNotice, Capabilities, PayoutOrder
from escrow.channels.sandbox_bank import signing
from escrow.channels.sandbox_bank.capabilities import CapabilitiesAnswer
from escrow.channels.sandbox_bank.messages import (
    REASONS,
    Balance,
    Envelope,
    Line,
    Notice,
    PayoutState,
    payout_message,
)
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.money import yuan
from escrow.domain.payouts import PayoutAnswer

_M = TypeVar("_M", bound=BaseModel)
_YES = "0000"
_LINES = TypeAdapter(list[Line])
#: Errors that leave no doubt: the connection was never made, so nothing was sent.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class SandboxBank:
    """Implements `Custody`, `Payouts` and `Sms`; close it with `aclose()`.

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
        self._key = key.encode()
        # The bank is reached directly: a proxy from the environment would blur "never sent" and "no answer".
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            timeout=httpx2.Timeout(read_timeout_seconds, connect=connect_timeout_seconds),
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def balance_fen(self, custody_account_no: str) -> int:
        """Booked balance of the custody account in fen.

        Raises:
            BankDeclined: the bank does not know the account.
            BankUnreachable: no readable answer; ask again.
        """
        answer = await self._repeatable("GET", _path("custody", custody_account_no, "balance"))
        return yuan(_parsed(Balance, answer).bal)

    async def lines_after(self, custody_account_no: str, line_no: int, limit: int = 200) -> Sequence[BankLine]:
        """Lines with a number above `line_no`, ascending, at most `limit`; raises as `balance_fen`."""
        target = _path("custody", custody_account_no, "lines") + "?" + urlencode({"after": line_no, "limit": limit})
        answer = await self._repeatable("GET", target)
        try:
            return [line.as_bank_line() for line in _LINES.validate_python(answer)]
        except ValidationError as error:
            raise _unreadable(error) from error

    async def statement_camt053(self, custody_account_no: str, day: date) -> bytes:
        """The bank's statement of `day` (Asia/Shanghai) as camt.053 XML; raises as `balance_fen`."""
        target = _path("custody", custody_account_no, "statement") + "?" + urlencode({"day": day.isoformat()})
        try:
            answer = await self._call("GET", target)
        except OutcomeUnknown as error:
            raise BankUnreachable(error.code, error.message) from error
        if answer.headers.get("content-type") != "application/xml":
            _data_of(answer)
            raise BankUnreachable("bank_answer_unreadable", "The bank sent no statement; ask again.")
        return answer.content

    async def capabilities(self) -> Capabilities:
        """Rails, caps, hours and health at this moment of the bank's clock; raises `BankUnreachable`."""
        answer = await self._repeatable("GET", _path("capabilities"))
        return _parsed(CapabilitiesAnswer, answer).as_capabilities()

    async def submit(self, order: PayoutOrder) -> PayoutAnswer:
        """Send a payout once; see the protocol for what its three errors mean.

        A number that the bank knows with other content is `OutcomeUnknown`: something was sent under it before.
        """
        try:
            data = _data_of(await self._call("POST", _path("payouts"), payout_message(order)))
            return PayoutState.model_validate(data).as_answer()
        except ValidationError as error:
            raise OutcomeUnknown("bank_answer_unreadable", _UNREADABLE) from error
        except BankDeclined as error:
            if error.code == "request_no_reused":
                raise OutcomeUnknown(error.code, error.message, error.details) from error
            raise

    async def query(self, request_no: str) -> PayoutAnswer:
        """State of the payout with this number; raises `BankUnreachable`."""
        answer = await self._repeatable("GET", _path("payouts") + "?" + urlencode({"reqSeq": request_no}))
        return _parsed(PayoutState, answer).as_answer()

    async def send(self, *, request_no: str, mobile: str, text: str) -> None:
        """Send a text message once per request number.

        A lost answer is `BankUnreachable` too: the bank keeps each number once, so repeating is always safe.

        Raises:
            BankDeclined: the number was used for another message, or the message is malformed.
            BankUnreachable: no readable answer; send again under the same number.
        """
        await self._repeatable("POST", _path("sms"), {"reqSeq": request_no, "mobile": mobile, "text": text})

    def verify_notice(self, headers: Mapping[str, str], body: bytes) -> BankNotice:
        """Check a notice's signature and age and read it.

        Raises:
            Refused: `notice_signature_invalid`, `notice_too_old` or `notice_unreadable`.
        """
        return verify_notice(self._key, headers, body)

    async def _repeatable(self, method: str, target: str, content: Mapping[str, Any] | None = None) -> Any:
        """Call what may be repeated at will: any end without an answer is `BankUnreachable`."""
        try:
            return _data_of(await self._call(method, target, content))
        except OutcomeUnknown as error:
            raise BankUnreachable(error.code, error.message) from error

    async def _call(self, method: str, target: str, content: Mapping[str, Any] | None = None) -> httpx2.Response:
        """One signed call, whose answer was signed by the bank."""
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
        timestamp = int(time.time())
        signature = signing.sign_request(self._key, method=method, target=target, timestamp=timestamp, body=body)
        headers = {
            "Content-Type": "application/json",
            "Bank-Timestamp": str(timestamp),
            "Bank-Signature": signature,
        }
        try:
            answer = await self._http.request(method, target, content=body, headers=headers)
        except _NEVER_SENT as error:
            raise BankUnreachable("bank_unreachable", "The bank could not be reached; nothing was sent.") from error
        except httpx2.RequestError as error:
            raise OutcomeUnknown("bank_no_answer", "The request was sent and the bank did not answer.") from error
        if answer.status_code >= 500:
            raise OutcomeUnknown("bank_no_answer", f"Something before the bank answered {answer.status_code}.")
        if not signing.answer_holds(
            self._key,
            request_signature=signature,
            status=answer.status_code,
            body=answer.content,
            signature=answer.headers.get("bank-signature", ""),
        ):
            raise OutcomeUnknown(
                "bank_answer_unsigned", "The answer does not carry the bank's signature; compare the connection's key."
            )
        return answer


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
        kind="custody_line" if notice.kind == "LINE" else "payout",
        custody_account_no=notice.acct_no,
        request_no=notice.req_seq,
    )


_UNREADABLE = "The bank's answer is signed but cannot be read."


def _path(*parts: str) -> str:
    return "/gateway/" + "/".join(quote(part, safe="") for part in parts)


def _data_of(answer: httpx2.Response) -> Any:
    """Content of an answer that says yes.

    Raises:
        BankDeclined: it says no.
        OutcomeUnknown: it cannot be read.
    """
    try:
        envelope = Envelope.model_validate_json(answer.content)
    except ValidationError as error:
        raise OutcomeUnknown("bank_answer_unreadable", _UNREADABLE) from error
    if envelope.ret_code != _YES:
        code = REASONS.get(envelope.ret_code, "bank_declined")
        raise BankDeclined(code, f"The bank says no: {envelope.ret_msg}.", {"bank_code": envelope.ret_code})
    return envelope.data


def _parsed(message: type[_M], data: Any) -> _M:
    try:
        return message.model_validate(data)
    except ValidationError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValidationError) -> BankUnreachable:
    return BankUnreachable("bank_answer_unreadable", f"{_UNREADABLE} {error.error_count()} fields do not fit.")
