"""Text messages: once per request number, whatever happens to the answer."""

from collections.abc import Sequence

import pytest

from escrow.domain.errors import BankDeclined, BankUnreachable
from tests.channels.statements import House

_MOBILE = "13552535506"


async def _sent(house: House, request_no: str) -> Sequence[str]:
    return [sms.text for sms in await house.sandbox.steer.sms_outbox() if sms.req_seq == request_no]


async def test_a_repeated_message_is_sent_once(house: House) -> None:
    number = f"{house.platform_no}:sms"
    for _ in range(3):
        await house.bank.send(custody_account_no=house.account_no, request_no=number, mobile=_MOBILE, text="提现已受理")

    assert await _sent(house, number) == ["提现已受理"]


@pytest.mark.parametrize("scenario", ["timeout_booked", "timeout_not_booked", "broken_answer"])
async def test_a_message_whose_answer_is_lost_is_repeated_and_sent_once(house: House, scenario: str) -> None:
    number = f"{house.platform_no}:sms"
    await house.sandbox.steer.next_suffers(scenario, "sms")

    with pytest.raises(BankUnreachable):
        await house.bank.send(custody_account_no=house.account_no, request_no=number, mobile=_MOBILE, text="提现已受理")
    await house.bank.send(custody_account_no=house.account_no, request_no=number, mobile=_MOBILE, text="提现已受理")

    assert await _sent(house, number) == ["提现已受理"]


async def test_another_message_under_a_known_number_is_refused(house: House) -> None:
    number = f"{house.platform_no}:sms"
    await house.bank.send(custody_account_no=house.account_no, request_no=number, mobile=_MOBILE, text="提现已受理")

    with pytest.raises(BankDeclined, match="request_no_reused"):
        await house.bank.send(custody_account_no=house.account_no, request_no=number, mobile=_MOBILE, text="别的")

    assert await _sent(house, number) == ["提现已受理"]


async def test_a_number_that_is_no_mobile_is_refused_without_repeating_it(house: House) -> None:
    with pytest.raises(BankDeclined, match="bank_request_malformed") as declined:
        await house.bank.send(
            custody_account_no=house.account_no,
            request_no=f"{house.platform_no}:sms",
            mobile="1355253550",
            text="提现已受理",
        )

    assert "1355253550" not in str(declined.value)
