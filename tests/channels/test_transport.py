"""Errors of transport, told apart by what may have reached the bank."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.signing import sign_request
from escrow.domain.errors import BankUnreachable, OutcomeUnknown
from escrow.stack.processes import free_port
from tests.channels.statements import House
from tests.sandbox import BANK_KEY

_Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _peer(answer: _Answer) -> AsyncIterator[SandboxBank]:
    """Yield a client of a TCP peer that reads each request and then does as it likes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bank = SandboxBank(f"http://127.0.0.1:{port}", BANK_KEY, read_timeout_seconds=0.3)
    try:
        yield bank
    finally:
        await bank.aclose()
        server.close()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""


async def _half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"retCode"')
    await writer.drain()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client hangs up


async def _noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01not http\r\n\r\n")
    await writer.drain()


async def _unsigned_yes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = b'{"retCode":"0000","retMsg":"","data":{"reqSeq":"x","state":"SUCCESS","closed":false,"bal":"1.00"}}'
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()


async def test_a_refused_connection_means_that_nothing_was_sent(house: House) -> None:
    nobody = SandboxBank(f"http://127.0.0.1:{free_port()}", BANK_KEY)

    with pytest.raises(BankUnreachable):
        await nobody.submit(house.order())
    with pytest.raises(BankUnreachable):
        await nobody.send(custody_account_no=house.account_no, request_no="1", mobile="13552535506", text="到账")
    await nobody.aclose()


@pytest.mark.parametrize("answer", [_hang_up, _half_an_answer, _silence, _noise, _unsigned_yes])
async def test_a_sent_payout_without_a_readable_signed_answer_is_unknown(house: House, answer: _Answer) -> None:
    async with _peer(answer) as bank:
        with pytest.raises(OutcomeUnknown):
            await bank.submit(house.order())


@pytest.mark.parametrize("answer", [_hang_up, _half_an_answer, _silence, _noise, _unsigned_yes])
async def test_a_question_without_a_readable_signed_answer_may_be_repeated(house: House, answer: _Answer) -> None:
    async with _peer(answer) as bank:
        with pytest.raises(BankUnreachable):
            await bank.query("HOME:W-1:payout:1")
        with pytest.raises(BankUnreachable):
            await bank.balance_fen(house.account_no)


async def test_a_client_with_another_key_moves_nothing_and_believes_nothing(house: House) -> None:
    stranger = SandboxBank(house.sandbox.base_url, "another secret")

    with pytest.raises(OutcomeUnknown, match="bank_answer_unsigned"):
        await stranger.submit(house.order())
    with pytest.raises(BankUnreachable, match="bank_answer_unsigned"):
        await stranger.balance_fen(house.account_no)
    await stranger.aclose()

    assert await house.lines() == []
    assert len(await house.sandbox.steer.payouts()) == len(
        [payout for payout in await house.sandbox.steer.payouts() if payout["acctNo"] != house.account_no]
    )


@pytest.mark.parametrize(("age_seconds", "status"), [(0, 200), (240, 200), (360, 401), (-360, 401)])
async def test_the_bank_refuses_a_signed_request_that_is_too_old_or_from_the_future(
    house: House, age_seconds: int, status: int
) -> None:
    target, timestamp = f"/gateway/custody/{house.account_no}/balance", int(time.time()) - age_seconds
    signature = sign_request(BANK_KEY.encode(), method="GET", target=target, timestamp=timestamp, body=b"")

    async with httpx2.AsyncClient(base_url=house.sandbox.base_url, trust_env=False) as http:
        headers = {"Bank-Timestamp": str(timestamp), "Bank-Signature": signature}
        answer = await http.get(target, headers=headers)
        unsigned = await http.get(target)

    assert answer.status_code == status
    assert unsigned.status_code == 401
