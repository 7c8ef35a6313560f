"""The one connection to the sandbox bank: signed calls, believed answers, and errors sorted by what was sent."""

import json
import time
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx2
from pydantic import BaseModel, ValidationError

from escrow.channels.sandbox_bank import signing
from escrow.channels.sandbox_bank.messages import REASONS, Envelope
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown
from escrow.trust import trusted_authorities

_M = TypeVar("_M", bound=BaseModel)
_YES = "0000"
_UNREADABLE = "The bank's answer is signed but cannot be read."
#: Errors that leave no doubt: the connection was never made, so nothing was sent.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class BankConnection:
    """A pool of connections; close it with `aclose()`.

    Args:
        base_url: where the bank listens, without a path.
        key: secret of the connection, the same at the bank.
        connect_timeout_seconds: after it a call counts as never sent.
        read_timeout_seconds: after it a call counts as sent and unanswered.
    """

    def __init__(self, base_url: str, key: str, *, connect_timeout_seconds: float, read_timeout_seconds: float) -> None:
        self.key = key.encode()
        # The bank is reached directly: a proxy from the environment would blur "never sent" and "no answer".
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            timeout=httpx2.Timeout(read_timeout_seconds, connect=connect_timeout_seconds),
            verify=trusted_authorities(),
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def command(self, target: str, content: Mapping[str, Any], message: type[_M]) -> _M:
        """Send once what must not be sent again blindly.

        A number that the bank knows with other content is `OutcomeUnknown`: something was sent under it before.

        Raises:
            BankDeclined: a definite no.
            BankUnreachable: the connection was never made.
            OutcomeUnknown: sent, and no or no readable answer.
        """
        try:
            return message.model_validate(data_of(await self.call("POST", target, content)))
        except ValidationError as error:
            raise OutcomeUnknown("bank_answer_unreadable", _UNREADABLE) from error
        except BankDeclined as error:
            if error.code == "request_no_reused":
                raise OutcomeUnknown(error.code, error.message, error.details) from error
            raise

    async def ask(self, target: str, message: type[_M], content: Mapping[str, Any] | None = None) -> _M:
        """Ask, or with `content` order, what may be repeated at will; raises as `repeatable`."""
        return parsed(message, await self.repeatable("GET" if content is None else "POST", target, content))

    async def repeatable(self, method: str, target: str, content: Mapping[str, Any] | None = None) -> Any:
        """Call what may be repeated at will: any end without an answer is `BankUnreachable`.

        Raises:
            BankDeclined: a definite no.
            BankUnreachable: no readable answer; call again.
        """
        try:
            return data_of(await self.call(method, target, content))
        except OutcomeUnknown as error:
            raise BankUnreachable(error.code, error.message) from error

    async def call(self, method: str, target: str, content: Mapping[str, Any] | None = None) -> httpx2.Response:
        """One signed call, whose answer was signed by the bank."""
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
        timestamp = int(time.time())
        signature = signing.sign_request(self.key, method=method, target=target, timestamp=timestamp, body=body)
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
            self.key,
            request_signature=signature,
            status=answer.status_code,
            body=answer.content,
            signature=answer.headers.get("bank-signature", ""),
        ):
            raise OutcomeUnknown(
                "bank_answer_unsigned", "The answer does not carry the bank's signature; compare the connection's key."
            )
        return answer


def path(*parts: str, **query: str | int) -> str:
    """Target of a call: quoted parts under the bank's prefix, with a query string."""
    target = "/gateway/" + "/".join(quote(part, safe="") for part in parts)
    return f"{target}?{urlencode(query)}" if query else target


def data_of(answer: httpx2.Response) -> Any:
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


def parsed(message: type[_M], data: Any) -> _M:
    """Content of an answer as a message.

    Raises:
        BankUnreachable: it does not fit.
    """
    try:
        return message.model_validate(data)
    except ValidationError as error:
        raise unreadable(error) from error


def unreadable(error: ValidationError) -> BankUnreachable:
    """The error for an answer that does not fit."""
    return BankUnreachable("bank_answer_unreadable", f"{_UNREADABLE} {error.error_count()} fields do not fit.")
