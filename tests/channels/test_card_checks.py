"""UnionPay check: name, ID number, card and mobile belong together, and the mobile is in the right hands."""

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bank_sandbox.cards import PREFIXES
from escrow.channels.verification import CardCheckOrder
from escrow.domain.errors import BankDeclined, OutcomeUnknown
from escrow.domain.members.account_verification import CardCheckAnswer, CardCheckStatus
from escrow.domain.members.code_checks import CodeCheck
from tests.channels.collecting import newest_code, wrong
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.numbers import card_of, citizen_id
from tests.channels.statements import CARD, House
from tests.sandbox import running_sandbox

_numbers = itertools.count(1)
#: UnionPay's published test identity.
_TEST = CardCheckOrder(
    request_no="",
    custody_account_no="",
    name="全渠道",
    citizen_id="341126197709218366",
    card_no=CARD,
    mobile="13552535506",
)
_FOURTEEN = {
    "ICBC", "ABC", "BOC", "CCB", "BOCOM", "SPDB", "CMBC", "CITIC", "CIB", "CEB", "BOB", "BOS", "PSBC", "CMB",
}  # fmt: skip


def _order(house: House, **changes: Any) -> CardCheckOrder:
    number = next(_numbers)
    order = CardCheckOrder(
        request_no=f"{house.platform_no}/A-{number}:card-check:1",
        custody_account_no=house.account_no,
        name="郑持卡",
        citizen_id=citizen_id("301"),
        card_no=card_of("622588", f"{1000 + number}"),
        mobile="13800003333",
    )
    return replace(order, **changes)


def _test_order(house: House) -> CardCheckOrder:
    return replace(_TEST, request_no=_order(house).request_no, custody_account_no=house.account_no)


async def _started(house: House, **changes: Any) -> CardCheckAnswer:
    return await house.bank.verification.start_card_check(_order(house, **changes))


async def test_the_published_test_identity_is_verified_by_its_published_code(house: House) -> None:
    order = _test_order(house)
    started = await house.bank.verification.start_card_check(order)

    verified = await house.bank.verification.confirm_card_check(started.request_no, "111111")

    assert started.status is CardCheckStatus.CODE_SENT
    assert (verified.status, verified.code_check) == (CardCheckStatus.VERIFIED, CodeCheck.ACCEPTED)
    assert await house.bank.verification.query_card_check(
        started.request_no, custody_account_no=house.account_no
    ) == replace(verified, code_check=None, tries_left=0)


@pytest.mark.parametrize("part", ["name", "citizen_id", "mobile"])
async def test_a_part_that_does_not_belong_to_the_test_card_is_refused(house: House, part: str) -> None:
    other = {"name": "别人", "citizen_id": citizen_id("302"), "mobile": "13800004444"}[part]

    with pytest.raises(BankDeclined, match="card_data_mismatch"):
        await house.bank.verification.start_card_check(replace(_test_order(house), **{part: other}))


@pytest.mark.parametrize("bank", sorted(_FOURTEEN))
async def test_cards_of_the_fourteen_banks_are_checked(house: House, bank: str) -> None:
    started = await _started(house, card_no=card_of(PREFIXES[bank][0]))

    verified = await house.bank.verification.confirm_card_check(
        started.request_no, await newest_code(house, started.request_no)
    )

    assert (verified.status, verified.bank) == (CardCheckStatus.VERIFIED, bank)


@pytest.mark.parametrize("prefix", ["622630", "621626", "622568", "629999"])
async def test_cards_of_a_fifteenth_bank_are_not(house: House, prefix: str) -> None:
    order = _order(house, card_no=card_of(prefix))

    with pytest.raises(BankDeclined, match="card_bank_not_supported") as declined:
        await house.bank.verification.start_card_check(order)

    assert order.card_no not in str(declined.value)
    assert (
        await house.bank.verification.query_card_check(order.request_no, custody_account_no=house.account_no)
    ).status is CardCheckStatus.FAILED


async def test_the_bank_tells_the_fourteen_and_none_while_the_service_is_down(house: House) -> None:
    banks = await house.bank.verification.card_check_banks()
    await house.sandbox.steer.set_service_health("CARD_CHECK", "DOWN")
    try:
        down = await house.bank.verification.card_check_banks()
        with pytest.raises(BankDeclined, match="service_unavailable"):
            await _started(house)
    finally:
        await house.sandbox.steer.reset()

    assert banks == _FOURTEEN
    assert not down


@pytest.mark.parametrize("card_no", ["40000001234567", CARD[:-1] + "9"])
async def test_what_is_no_card_is_refused(house: House, card_no: str) -> None:
    with pytest.raises(BankDeclined, match="account_no_invalid"):
        await _started(house, card_no=card_no)


async def test_a_card_belongs_to_whom_its_bank_knows(house: House) -> None:
    first = _order(house)
    await house.bank.verification.start_card_check(first)

    with pytest.raises(BankDeclined, match="card_data_mismatch"):
        await _started(house, card_no=first.card_no, mobile="13800005555")
    with pytest.raises(BankDeclined, match="card_data_mismatch"):
        await _started(house, citizen_id=citizen_id("990"))


async def test_three_wrong_codes_end_a_check(house: House) -> None:
    number = (await _started(house)).request_no
    code = await newest_code(house, number)

    tries = [await house.bank.verification.confirm_card_check(number, wrong(code)) for _ in range(3)]
    with_right = await house.bank.verification.confirm_card_check(number, code)

    assert [(answer.code_check, answer.tries_left) for answer in tries] == [
        (CodeCheck.WRONG, 2),
        (CodeCheck.WRONG, 1),
        (CodeCheck.EXHAUSTED, 0),
    ]
    assert (with_right.status, with_right.code_check) == (CardCheckStatus.FAILED, CodeCheck.EXHAUSTED)
    with pytest.raises(BankDeclined, match="no_code_expected"):
        await house.bank.verification.send_card_code_again(number)


async def test_a_repeated_check_sends_no_second_code_and_another_one_under_its_number_is_refused(house: House) -> None:
    order = _order(house)
    started = await house.bank.verification.start_card_check(order)

    assert await house.bank.verification.start_card_check(order) == started
    codes = [sms for sms in await house.sandbox.steer.sms_outbox() if sms.req_seq.startswith(order.request_no)]
    assert len(codes) == 1
    with pytest.raises(OutcomeUnknown, match="request_no_reused"):
        await house.bank.verification.start_card_check(replace(order, mobile="13800006666"))


async def test_a_new_code_replaces_the_old_one(house: House) -> None:
    number = (await _started(house)).request_no

    await house.bank.verification.send_card_code_again(number)
    codes = [sms for sms in await house.sandbox.steer.sms_outbox() if sms.req_seq.startswith(number)]
    verified = await house.bank.verification.confirm_card_check(number, await newest_code(house, number))

    assert len(codes) == 2
    assert verified.status is CardCheckStatus.VERIFIED


async def test_a_check_without_an_answer_is_found_by_its_number(house: House) -> None:
    taken, lost = (_order(house, card_no=card_of("622588", suffix)) for suffix in ("9001", "9002"))

    for order in (taken, lost):
        with pytest.raises(OutcomeUnknown):
            await house.bank.verification.start_card_check(order)

    found = [
        await house.bank.verification.query_card_check(order.request_no, custody_account_no=house.account_no)
        for order in (taken, lost)
    ]
    assert [answer.status for answer in found] == [CardCheckStatus.CODE_SENT, CardCheckStatus.NOT_FOUND]


async def test_a_declined_card_stays_declined(house: House) -> None:
    order = _order(house, card_no=card_of("622588", "9003"))

    for _ in range(2):
        with pytest.raises(BankDeclined, match="card_data_mismatch"):
            await house.bank.verification.start_card_check(order)


async def test_codes_of_nobody_are_refused(house: House) -> None:
    with pytest.raises(BankDeclined, match="verification_unknown"):
        await house.bank.verification.confirm_card_check("nobody/A-1:card-check:1", "123456")


async def test_a_code_is_good_for_120_seconds(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        before = await house.now()
        started = await _started(house)
        code, after = await newest_code(house, started.request_no), await house.now()
        await house.lets_pass(timedelta(seconds=120))

        late = await house.bank.verification.confirm_card_check(started.request_no, code)
        await house.bank.verification.send_card_code_again(started.request_no)
        in_time = await house.bank.verification.confirm_card_check(
            started.request_no, await newest_code(house, started.request_no)
        )

    assert started.code_expires_at is not None
    assert before <= started.code_expires_at - timedelta(seconds=120) <= after
    assert (late.status, late.code_check) == (CardCheckStatus.CODE_SENT, CodeCheck.EXPIRED)
    assert in_time.status is CardCheckStatus.VERIFIED
