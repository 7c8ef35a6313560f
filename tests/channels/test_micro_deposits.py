"""Micro-deposits: at most 0.50 yuan out of the custody account, and only its payee can tell how much."""

import asyncio
import itertools
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from escrow.channels.sandbox_bank.signing import sign_request
from escrow.channels.verification import MicroDepositOrder
from escrow.domain.errors import BankDeclined, OutcomeUnknown
from escrow.domain.members.account_verification import MicroDepositAnswer, MicroDepositStatus
from escrow.domain.members.code_checks import CodeCheck
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.receiver import Receiver
from tests.channels.statements import CNAPS_ICBC, OPENING_FEN, House
from tests.sandbox import BANK_KEY, running_sandbox

_numbers = itertools.count(1)
_MOBILE = "13700007777"


def _order(house: House, **changes: Any) -> MicroDepositOrder:
    order = MicroDepositOrder(
        request_no=f"{house.platform_no}/A-{next(_numbers)}:micro-deposit:1",
        custody_account_no=house.account_no,
        account_no="40000001234567",
        account_name="沙箱装饰工程有限公司",
        is_corporate=True,
        cnaps_code=CNAPS_ICBC,
        mobile=_MOBILE,
    )
    return replace(order, **changes)


async def _sent(house: House, **changes: Any) -> MicroDepositAnswer:
    return await house.bank.verification.send_micro_deposit(_order(house, **changes))


async def _tries(house: House, sent: MicroDepositAnswer, off_fen: int, reference: str = "") -> MicroDepositAnswer:
    amount_fen = await house.sandbox.steer.micro_deposit_fen(sent.request_no) + off_fen
    assert sent.reference is not None
    return await house.bank.verification.confirm_micro_deposit(
        sent.request_no, amount_fen=amount_fen, reference=reference or sent.reference
    )


async def test_a_deposit_leaves_the_account_and_its_reference_goes_to_the_mobile(
    house: House, receiver: Receiver
) -> None:
    sent = await _sent(house)

    (line,) = await house.lines()
    texts = [sms for sms in await house.sandbox.steer.sms_outbox() if sms.req_seq.startswith(sent.request_no)]
    told = await receiver.wait_for(2)
    assert sent.reference is not None
    assert (sent.status, len(sent.reference)) == (MicroDepositStatus.SENT, 5)
    assert (line.kind, line.request_no) == ("micro_deposit", sent.request_no)
    assert -50 <= line.amount_fen <= -1
    assert line.amount_fen == -await house.sandbox.steer.micro_deposit_fen(sent.request_no)
    assert [(sms.mobile, sent.reference in sms.text) for sms in texts] == [(_MOBILE, True)]
    assert "40000001234567" not in texts[0].text
    assert told[1].kind == "custody_line"


async def test_amounts_and_references_differ_from_deposit_to_deposit(house: House) -> None:
    sent = [await _sent(house) for _ in range(12)]

    amounts = {line.amount_fen for line in await house.lines()}
    assert len({answer.reference for answer in sent}) == 12
    assert len(amounts) > 3


async def test_the_right_amount_under_its_reference_verifies(house: House) -> None:
    sent = await _sent(house)

    verified = await _tries(house, sent, 0)
    again = await _tries(house, sent, 0)

    assert (verified.status, verified.code_check) == (MicroDepositStatus.VERIFIED, CodeCheck.ACCEPTED)
    assert again == verified


@pytest.mark.parametrize(("off_fen", "reference"), [(1, ""), (0, "AAAAA")])
async def test_three_wrong_tries_end_a_deposit(house: House, off_fen: int, reference: str) -> None:
    sent = await _sent(house)

    tries = [await _tries(house, sent, off_fen, reference) for _ in range(3)]
    with_right = await _tries(house, sent, 0)

    assert [(answer.code_check, answer.tries_left) for answer in tries] == [
        (CodeCheck.WRONG, 2),
        (CodeCheck.WRONG, 1),
        (CodeCheck.EXHAUSTED, 0),
    ]
    assert (with_right.status, with_right.code_check) == (MicroDepositStatus.FAILED, CodeCheck.EXHAUSTED)
    assert (with_right.reason, with_right.tries_left) == ("tries_exhausted", 0)


async def test_the_amount_is_in_no_answer_of_the_bank(house: House) -> None:
    sent = await _sent(house)
    target, timestamp = "/gateway/micro-deposits?" + urlencode({"reqSeq": sent.request_no}), int(time.time())
    signature = sign_request(BANK_KEY.encode(), method="GET", target=target, timestamp=timestamp, body=b"")

    async with httpx2.AsyncClient(base_url=house.sandbox.base_url, trust_env=False) as http:
        headers = {"Bank-Timestamp": str(timestamp), "Bank-Signature": signature}
        answer = (await http.get(target, headers=headers)).text

    assert sent.reference is not None
    assert sent.reference in answer
    amount_fen = await house.sandbox.steer.micro_deposit_fen(sent.request_no)
    assert re.search(rf"(?<![0-9])0\.{amount_fen:02d}(?![0-9])", answer) is None  # seconds have such fractions too


async def test_fifty_tries_at_once_are_three_tries(house: House) -> None:
    sent = await _sent(house)
    confirm = house.bank.verification.confirm_micro_deposit

    tries = await asyncio.gather(*(confirm(sent.request_no, amount_fen=fen, reference="AAAAA") for fen in range(1, 51)))

    assert sorted(answer.tries_left for answer in tries) == [0] * 48 + [1, 2]
    assert (await _tries(house, sent, 0)).status is MicroDepositStatus.FAILED


async def test_a_repeated_deposit_is_sent_once(house: House) -> None:
    order = _order(house)
    sent = await house.bank.verification.send_micro_deposit(order)

    assert await house.bank.verification.send_micro_deposit(order) == sent
    assert len(await house.lines()) == 1
    with pytest.raises(OutcomeUnknown, match="request_no_reused"):
        await house.bank.verification.send_micro_deposit(replace(order, account_no="40000001234568"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account_no": "12345678"}, "account_no_invalid"),
        ({"cnaps_code": "102100099997"}, "cnaps_code_invalid"),
        ({"mobile": "1370000777"}, "bank_request_malformed"),
        ({"account_no": "40000001239003"}, "payee_account_refused"),
    ],
)
async def test_the_bank_refuses_what_breaks_its_rules_and_sends_nothing(
    house: House, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(BankDeclined) as declined:
        await _sent(house, **changes)

    assert declined.value.code == code
    assert await house.lines() == []


async def test_an_empty_account_sends_no_deposit(house: House) -> None:
    account_no = await house.sandbox.steer.open_custody_account(reference=f"{house.platform_no}-empty", title="Empty")

    with pytest.raises(BankDeclined, match="custody_funds_insufficient"):
        await _sent(house, custody_account_no=account_no)


async def test_a_deposit_without_an_answer_is_found_by_its_number(house: House) -> None:
    taken, lost = _order(house, account_no="40000001239001"), _order(house, account_no="40000001239002")

    for order in (taken, lost):
        with pytest.raises(OutcomeUnknown):
            await house.bank.verification.send_micro_deposit(order)

    found = [
        await house.bank.verification.query_micro_deposit(order.request_no, custody_account_no=house.account_no)
        for order in (taken, lost)
    ]
    assert [answer.status for answer in found] == [MicroDepositStatus.SENT, MicroDepositStatus.NOT_FOUND]
    assert [line.request_no for line in await house.lines()] == [taken.request_no]


async def test_a_deposit_that_is_given_back_after_it_was_verified_stays_verified(house: House) -> None:
    sent = await _sent(house)
    await _tries(house, sent, 0)

    await house.sandbox.steer.return_micro_deposit(sent.request_no)

    answer = await house.bank.verification.query_micro_deposit(sent.request_no, custody_account_no=house.account_no)
    assert (answer.status, answer.returned) == (MicroDepositStatus.VERIFIED, True)
    assert [(line.kind, line.request_no) for line in await house.lines()] == [
        ("micro_deposit", sent.request_no),
        ("micro_deposit_return", sent.request_no),
    ]
    assert await house.balance_fen() == OPENING_FEN


async def test_a_deposit_that_came_back_cannot_be_verified_any_more(house: House) -> None:
    sent = await _sent(house)
    await house.sandbox.steer.return_micro_deposit(sent.request_no)

    answer = await _tries(house, sent, 0)

    assert (answer.status, answer.code_check) == (MicroDepositStatus.RETURNED, CodeCheck.EXPIRED)


async def test_amounts_of_nobody_are_refused(house: House) -> None:
    with pytest.raises(BankDeclined, match="verification_unknown"):
        await house.bank.verification.confirm_micro_deposit("nobody/A-1:micro-deposit:1", amount_fen=1, reference="A")


async def test_time_ends_deposits_and_brings_some_back_and_a_power_cut_changes_nothing(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        left = await _sent(house)
        coming_back = await _sent(house, account_no="40000001239005")
        sandbox.kill()
        await sandbox.start()
        assert (
            await house.bank.verification.query_micro_deposit(left.request_no, custody_account_no=house.account_no)
            == left
        )

        await house.lets_pass(timedelta(hours=47, minutes=59))
        before = await house.bank.verification.query_micro_deposit(left.request_no, custody_account_no=house.account_no)
        await house.lets_pass(timedelta(minutes=2))
        after = await _tries(house, left, 0)
        returned = await house.bank.verification.query_micro_deposit(
            coming_back.request_no, custody_account_no=house.account_no
        )
        lines = await house.lines()

    assert (before.status, after.status) == (MicroDepositStatus.SENT, MicroDepositStatus.EXPIRED)
    assert after.code_check is CodeCheck.EXPIRED
    assert (returned.status, returned.returned) == (MicroDepositStatus.RETURNED, True)
    assert [line.kind for line in lines] == ["micro_deposit", "micro_deposit", "micro_deposit_return"]
