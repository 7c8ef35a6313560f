"""Notices: signed, repeated until taken, and nothing is believed that they say."""

import pytest

from escrow.channels.sandbox_bank.client import verify_notice
from escrow.domain.errors import Refused
from escrow.domain.withdrawals.payouts import PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.channels.receiver import Receiver
from tests.channels.statements import House
from tests.sandbox import BANK_KEY


async def _first(receiver: Receiver) -> tuple[dict[str, str], bytes]:
    await receiver.wait_for(1)
    return receiver.taken[0].headers, receiver.taken[0].body


async def test_an_inbound_transfer_is_told(house: House, receiver: Receiver) -> None:
    (notice,) = await receiver.wait_for(1)

    assert (notice.kind, notice.custody_account_no, notice.request_no) == ("custody_line", house.account_no, "")


async def test_the_end_of_a_payout_is_told_and_then_its_charge(house: House, receiver: Receiver) -> None:
    order = house.order()
    await house.pays(order)

    told = await receiver.wait_for(3)

    assert [(notice.kind, notice.request_no) for notice in told[1:]] == [
        ("payout", order.request_no),
        ("custody_line", ""),
    ]


async def test_a_failed_payout_is_told_too(house: House, receiver: Receiver) -> None:
    order = house.order(190_012)
    await house.pays(order)

    assert (await receiver.wait_for(2))[1].request_no == order.request_no


async def test_a_notice_changed_on_its_way_is_refused(house: House, receiver: Receiver) -> None:
    headers, body = await _first(receiver)
    key = BANK_KEY.encode()

    assert verify_notice(key, headers, body).custody_account_no == house.account_no
    for changed_headers, changed_body, changed_key in (
        (headers, body.replace(b"LINE", b"PAYOUT"), key),
        (headers | {"bank-notice-no": "999999"}, body, key),
        (headers | {"bank-timestamp": str(int(headers["bank-timestamp"]) + 1)}, body, key),
        (headers | {"bank-signature": ""}, body, key),
        ({}, body, key),
        (headers, body, b"another secret"),
    ):
        with pytest.raises(Refused, match="notice_signature_invalid"):
            verify_notice(changed_key, changed_headers, changed_body)


async def test_an_old_notice_is_refused_although_it_was_signed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, body = await _first(receiver)
    taken_at = int(headers["bank-timestamp"])
    monkeypatch.setattr("escrow.channels.sandbox_bank.client.time.time", lambda: taken_at + 301.0)

    with pytest.raises(Refused, match="notice_too_old"):
        verify_notice(BANK_KEY.encode(), headers, body)


async def test_a_doubled_notice_comes_twice_with_the_same_number(house: House, receiver: Receiver) -> None:
    order = house.order(190_006, Rail.IN_BANK)
    await house.pays(order)

    _, first, second = await receiver.wait_for(3)

    assert first == second
    assert first.request_no == order.request_no


async def test_a_late_notice_is_overtaken_by_the_next(house: House, receiver: Receiver) -> None:
    late, punctual = house.order(190_007, Rail.IN_BANK), house.order(rail=Rail.IN_BANK)
    await house.pays(late)
    await house.pays(punctual)

    told = await receiver.wait_for(3)

    assert [notice.request_no for notice in told[1:]] == [punctual.request_no, late.request_no]


async def test_a_dropped_notice_never_comes_until_it_is_replayed(house: House, receiver: Receiver) -> None:
    dropped, next_one = house.order(190_008, Rail.IN_BANK), house.order(rail=Rail.IN_BANK)
    assert (await house.pays(dropped)).status is PayoutStatus.SUCCEEDED
    await house.pays(next_one)
    before = await receiver.wait_for(2)
    (lost,) = [
        notice
        for notice in await house.sandbox.steer.notices()
        if notice["state"] == "dropped" and notice["body"]["reqSeq"] == dropped.request_no
    ]

    await house.sandbox.steer.replay_notice(lost["noticeNo"])

    after = await receiver.wait_for(3)
    assert [notice.request_no for notice in before[1:]] == [next_one.request_no]
    assert after[2].request_no == dropped.request_no


async def test_a_wrong_amount_in_a_notice_is_not_on_the_account(house: House, receiver: Receiver) -> None:
    order = house.order(190_009, Rail.IN_BANK)
    await house.pays(order)
    await receiver.wait_for(2)

    body = next(taken.body for taken in receiver.taken if taken.notice.request_no == order.request_no)

    assert b'"1901.09"' in body, "the notice says one yuan more"
    assert [line.amount_fen for line in await house.lines()] == [-190_009]


async def test_the_notice_of_a_transfer_can_be_dropped_while_its_line_stands(house: House, receiver: Receiver) -> None:
    await house.sandbox.steer.next_suffers("notice_dropped", "transfer")
    line = await house.receives(12_345)

    await house.receives(1)
    await receiver.wait_for(2)
    assert len(receiver.notices) == 2, "the opening and the last transfer"
    assert line in await house.lines()


async def test_a_notice_that_is_not_taken_comes_again(house: House, receiver: Receiver) -> None:
    await receiver.wait_for(1)
    receiver.failures = 2
    order = house.order(rail=Rail.IN_BANK)
    await house.pays(order)

    told = await receiver.wait_for(2)

    assert told[1].request_no == order.request_no
    assert [order.request_no.encode() in body for body in receiver.refused] == [True, True]
