"""The bank's notices: only the bank's own are taken, and they only wake who asks the bank."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping

import httpx2
import pytest

from escrow.stack.up import Stack
from tests.api.platforms import Platform


def signed(stack: Stack, body: bytes, *, age_seconds: int = 0, key: bytes | None = None) -> dict[str, str]:
    """Headers of a notice, signed as the bank's description says."""
    timestamp = str(int(time.time()) - age_seconds)
    text = f"NOTICE\n7\n{timestamp}\n{hashlib.sha256(body).hexdigest()}"
    key = stack.environment["ESCROW_BANK_KEY"].encode() if key is None else key
    return {
        "Bank-Notice-No": "7",
        "Bank-Timestamp": timestamp,
        "Bank-Signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
        "Content-Type": "application/json",
    }


def notice(account_no: str, kind: str = "LINE", request_no: str = "") -> bytes:
    return json.dumps({"kind": kind, "acctNo": account_no, "reqSeq": request_no}).encode()


async def send(platform: Platform, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
    return await platform.http.post(
        "/bank/notices",
        content=body,
        headers={name.encode(): value.encode("latin-1") for name, value in headers.items()},
    )


async def test_a_genuine_notice_is_taken_whatever_it_names(platform: Platform, stack: Stack) -> None:
    for body in (
        notice(platform.custody_account_no),
        notice(platform.custody_account_no, "PAYOUT", f"{platform.number}/W-404:payout:1"),
        notice(platform.custody_account_no, "PAYOUT", "something else"),
        notice("999999999999"),
    ):
        assert (await send(platform, body, signed(stack, body))).status_code == 204


async def test_a_notice_that_the_bank_did_not_sign_is_refused(platform: Platform, stack: Stack) -> None:
    body = notice(platform.custody_account_no)
    for headers in (
        {},
        signed(stack, body, key=b"another key"),
        {**signed(stack, body), "Bank-Signature": "ä"},
        signed(stack, body + b" "),
    ):
        answer = await send(platform, body, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "notice_signature_invalid")


async def test_an_old_notice_is_refused(platform: Platform, stack: Stack) -> None:
    body = notice(platform.custody_account_no)
    answer = await send(platform, body, signed(stack, body, age_seconds=3600))
    assert (answer.status_code, answer.json()["code"]) == (401, "notice_too_old")


@pytest.mark.parametrize("body", [b"{}", b"no json", b'{"kind": "LINE"}'])
async def test_a_signed_notice_that_says_nothing_is_refused(platform: Platform, stack: Stack, body: bytes) -> None:
    answer = await send(platform, body, signed(stack, body))
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_unreadable")


async def test_a_forged_amount_in_a_genuine_notice_books_nothing(platform: Platform, stack: Stack) -> None:
    await platform.open_owner()
    forged = json.dumps({"kind": "LINE", "acctNo": platform.custody_account_no, "reqSeq": "", "amt": "999.00"}).encode()
    assert (await send(platform, forged, signed(stack, forged))).status_code == 204
    assert (await platform.balances("O-1"))["available_fen"] == 0
    assert (await platform.get("/platform")).json()["custody_at_bank_fen"] == 0
