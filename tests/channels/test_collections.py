"""Money in: each method with its own interaction, and what may be done with a collection."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from escrow.channels.collections import Payer
from escrow.domain.collections.methods import CollectionMethod, StatusAtChannel
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown
from escrow.domain.members.code_checks import CodeCheck
from tests.channels.collecting import PAYER, Cashier, wrong
from tests.channels.numbers import card_of, citizen_id
from tests.channels.receiver import Receiver
from tests.channels.statements import House

QR_METHODS = [CollectionMethod.QR_WECHAT, CollectionMethod.QR_ALIPAY, CollectionMethod.QR_QQ]
PAGE_METHODS = [CollectionMethod.ACQUIRING, CollectionMethod.GATEWAY]


@pytest.fixture
def cashier(house: House) -> Cashier:
    return Cashier(house)


@pytest.mark.parametrize("method", [*QR_METHODS, *PAGE_METHODS])
async def test_a_payer_follows_the_code_or_link_to_a_page_and_pays_there_once(
    cashier: Cashier, method: CollectionMethod
) -> None:
    opened = await cashier.opens(123_456, method, return_url="https://shop.example/back?a=1&b=2")
    assert opened.interaction is not None
    page = opened.interaction.qr_content or opened.interaction.url
    assert page is not None

    async with httpx2.AsyncClient(trust_env=False) as browser:
        shown = await browser.get(page)
        paid = await browser.post(page)
        again = await browser.post(page)

    answer = await cashier.query(opened.request_no)
    assert opened.interaction.kind == ("qr" if method in QR_METHODS else "redirect")
    assert ("1234.56" in shown.text, 'data-state="WAITING"' in shown.text) == (True, True)
    assert (paid.status_code, again.status_code) == (200, 409)
    assert 'data-state="PAID"' in paid.text
    assert "https://shop.example/back?a=1&amp;b=2" in paid.text
    assert answer.status is StatusAtChannel.PAID
    assert [payment.amount_fen for payment in answer.payments] == [123_456]


async def test_a_page_of_nobody_is_not_found(house: House) -> None:
    async with httpx2.AsyncClient(base_url=house.sandbox.base_url, trust_env=False) as browser:
        assert (await browser.get("/pay/nothing")).status_code == 404
        assert (await browser.post("/pay/nothing")).status_code == 404


async def test_what_a_payer_reads_on_the_page_cannot_be_markup(cashier: Cashier) -> None:
    opened = await cashier.opens(subject="<script>alert(1)</script>")
    assert opened.interaction is not None

    async with httpx2.AsyncClient(trust_env=False) as browser:
        shown = (await browser.get(str(opened.interaction.qr_content))).text

    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


async def test_wechat_in_an_app_gets_the_parameters_that_open_the_wallet(cashier: Cashier) -> None:
    opened = await cashier.opens(method=CollectionMethod.WECHAT_APP)
    paid = await cashier.house.sandbox.steer.pay(opened.request_no)

    assert opened.interaction is not None
    assert opened.interaction.app_parameters is not None
    assert opened.interaction.app_parameters["package"] == "Sign=WXPay"
    assert paid.status is StatusAtChannel.PAID


async def test_a_quick_payment_is_paid_by_the_code_from_the_text_message(cashier: Cashier) -> None:
    opened = await cashier.opens(method=CollectionMethod.QUICK)

    confirmed = await cashier.channel.confirm(opened.request_no, await cashier.code_of(opened.request_no))
    repeated = await cashier.channel.confirm(opened.request_no, "000000")

    assert opened.interaction is not None
    assert (opened.interaction.kind, opened.interaction.code_sent_to) == ("sms_code", "139****1111")
    assert opened.interaction.code_expires_at is not None
    assert (confirmed.status, confirmed.code_check) == (StatusAtChannel.PAID, CodeCheck.ACCEPTED)
    assert repeated.payments == confirmed.payments


async def test_three_wrong_codes_end_a_quick_payment(cashier: Cashier) -> None:
    number = (await cashier.opens(method=CollectionMethod.QUICK)).request_no
    code = await cashier.code_of(number)

    tries = [await cashier.channel.confirm(number, wrong(code)) for _ in range(3)]

    assert [(answer.code_check, answer.tries_left) for answer in tries] == [
        (CodeCheck.WRONG, 2),
        (CodeCheck.WRONG, 1),
        (CodeCheck.EXHAUSTED, 0),
    ]
    assert tries[-1].status is StatusAtChannel.FAILED
    with pytest.raises(BankDeclined, match="collection_ended"):
        await cashier.channel.confirm(number, code)


async def test_a_new_code_voids_the_old_one_but_not_the_wrong_tries(cashier: Cashier) -> None:
    number = (await cashier.opens(method=CollectionMethod.QUICK)).request_no
    old = await cashier.code_of(number)
    await cashier.channel.confirm(number, wrong(old))

    await cashier.channel.send_code_again(number)
    new = await cashier.code_of(number)
    with_old = await cashier.channel.confirm(number, old if old != new else wrong(new))

    assert (with_old.code_check, with_old.tries_left) == (CodeCheck.WRONG, 1)
    assert (await cashier.channel.confirm(number, new)).status is StatusAtChannel.PAID


async def test_at_most_five_codes_are_sent(cashier: Cashier) -> None:
    number = (await cashier.opens(method=CollectionMethod.QUICK)).request_no
    for _ in range(4):
        await cashier.channel.send_code_again(number)

    with pytest.raises(BankDeclined, match="codes_exhausted"):
        await cashier.channel.send_code_again(number)


async def test_a_direct_debit_needs_only_its_mandate(cashier: Cashier) -> None:
    mandate = await cashier.has_mandate()

    answer = await cashier.debits(mandate)

    assert (mandate.status, mandate.payer_bank) == ("active", "ICBC")
    assert answer.status is StatusAtChannel.PAID
    assert [(payment.amount_fen, payment.fee_fen) for payment in answer.payments] == [(100_000, 100)]


async def test_a_revoked_mandate_is_debited_no_more(cashier: Cashier) -> None:
    mandate = await cashier.has_mandate()
    revoked = await cashier.channel.revoke_mandate(mandate.request_no)

    with pytest.raises(BankDeclined, match="mandate_not_in_force"):
        await cashier.debits(mandate)

    assert revoked.status == "revoked"
    assert (await cashier.query_mandate(mandate.request_no)).status == "revoked"


async def test_a_mandate_of_another_platform_is_none(cashier: Cashier) -> None:
    other = Cashier(await House.open(cashier.house.sandbox, f"{cashier.house.platform_no}-other"))

    with pytest.raises(BankDeclined, match="mandate_not_in_force"):
        await other.debits(await cashier.has_mandate())


async def test_a_mandate_is_signed_once_per_number_and_only_by_the_person_itself(cashier: Cashier) -> None:
    signed = await cashier.has_mandate()

    assert await cashier.has_mandate() == signed
    with pytest.raises(BankDeclined, match="request_no_reused"):
        await cashier.has_mandate(replace(PAYER, mobile="13900002222"))
    with pytest.raises(BankDeclined, match="payer_data_mismatch"):
        await cashier.has_mandate(replace(PAYER, citizen_id=citizen_id("990")), "M-2")
    assert (await cashier.query_mandate("nobody/M-9:mandate")).status == "not_found"


async def test_debit_channels_differ_by_bank_cap_fee_and_health(cashier: Cashier) -> None:
    capabilities = await cashier.channel.capabilities(cashier.house.account_no)
    caps = {channel.channel: channel.bank_caps_fen for channel in capabilities.debit_channels}
    fees = {channel.channel: channel.fee_fen for channel in capabilities.debit_channels}
    mandate = await cashier.has_mandate()

    assert caps["UNIONPAY_DEBIT"]["ICBC"] == 5_000_000
    with pytest.raises(BankDeclined, match="rail_cap_exceeded"):
        await cashier.debits(mandate, 5_000_001)
    larger = await cashier.debits(mandate, 5_000_001, "NETS_DEBIT")
    with pytest.raises(BankDeclined, match="debit_channel_unsuitable"):
        await cashier.debits(mandate, 100, "OWN_BANK")
    assert larger.payments[0].fee_fen == fees["NETS_DEBIT"] == 300
    assert caps["OWN_BANK"] == {"PAB": None}


async def test_a_debit_channel_that_is_down_refuses_and_says_so(cashier: Cashier) -> None:
    mandate = await cashier.has_mandate()
    await cashier.house.sandbox.steer.set_debit_channel_health("UNIONPAY_DEBIT", "DOWN")
    try:
        capabilities = await cashier.channel.capabilities(cashier.house.account_no)
        with pytest.raises(BankDeclined, match="rail_unavailable"):
            await cashier.debits(mandate)
    finally:
        await cashier.house.sandbox.steer.reset()

    assert [channel.channel for channel in capabilities.debit_channels if not channel.healthy] == ["UNIONPAY_DEBIT"]


@pytest.mark.parametrize("method", list(CollectionMethod))
async def test_a_method_that_is_down_refuses_and_says_so(cashier: Cashier, method: CollectionMethod) -> None:
    await cashier.house.sandbox.steer.set_method_health(method, "DOWN")
    try:
        capabilities = await cashier.channel.capabilities(cashier.house.account_no)
        with pytest.raises(BankDeclined, match="rail_unavailable"):
            await cashier.opens(method=method)
    finally:
        await cashier.house.sandbox.steer.reset()

    assert [known.method for known in capabilities.methods if not known.healthy] == [method]


async def test_the_bank_tells_every_method_with_its_terms(cashier: Cashier) -> None:
    methods = {known.method: known for known in (await cashier.channel.capabilities(cashier.house.account_no)).methods}

    assert set(methods) == set(CollectionMethod)
    assert (methods[CollectionMethod.QUICK].cap_fen, methods[CollectionMethod.QR_QQ].cap_fen) == (5_000_000, None)
    assert (methods[CollectionMethod.QR_QQ].next_day, methods[CollectionMethod.QR_QQ].net_of_fees) == (True, True)
    assert (methods[CollectionMethod.ACQUIRING].next_day, methods[CollectionMethod.ACQUIRING].net_of_fees) == (
        True,
        False,
    )
    assert not methods[CollectionMethod.DIRECT_DEBIT].next_day


async def test_a_repeated_collection_is_the_same_collection(cashier: Cashier) -> None:
    order = await cashier.order()
    opened = await cashier.channel.create(order)

    assert await cashier.channel.create(order) == opened
    with pytest.raises(OutcomeUnknown, match="request_no_reused"):
        await cashier.channel.create(replace(order, amount_fen=order.amount_fen + 1))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"custody_account_no": "15009999999999"}, "custody_account_unknown"),
        ({"method": CollectionMethod.QUICK, "payer": None}, "bank_request_malformed"),
        (
            {"method": CollectionMethod.QUICK, "payer": replace(PAYER, account_no=PAYER.account_no[:-1] + "0")},
            "account_no_invalid",
        ),
        ({"method": CollectionMethod.QUICK, "payer": replace(PAYER, account_name="别人")}, "payer_data_mismatch"),
        ({"method": CollectionMethod.QUICK, "payer": PAYER, "amount_fen": 5_000_001}, "rail_cap_exceeded"),
        ({"amount_fen": 0}, "bank_request_malformed"),
    ],
)
async def test_the_bank_refuses_a_collection_that_breaks_its_rules(
    cashier: Cashier, changes: dict[str, object], code: str
) -> None:
    await cashier.has_mandate()  # the register now knows the payer by name
    with pytest.raises(BankDeclined) as declined:
        await cashier.opens(**changes)

    assert declined.value.code == code
    assert PAYER.account_no[-8:] not in str(declined.value)


async def test_an_order_that_has_expired_already_is_refused(cashier: Cashier) -> None:
    now = await cashier.house.now()

    with pytest.raises(BankDeclined, match="collection_expired"):
        await cashier.opens(expires_at=now - timedelta(seconds=1))


async def test_a_closed_collection_takes_no_payment(cashier: Cashier) -> None:
    opened = await cashier.opens()
    closed = await cashier.close(opened.request_no)
    assert opened.interaction is not None

    async with httpx2.AsyncClient(trust_env=False) as browser:
        refused = await browser.post(str(opened.interaction.qr_content))

    assert closed.status is StatusAtChannel.CLOSED
    assert refused.status_code == 409
    assert await cashier.close(opened.request_no) == closed
    assert (await cashier.query(opened.request_no)).payments == ()


async def test_a_paid_collection_cannot_be_closed(cashier: Cashier) -> None:
    paid = await cashier.collects()

    with pytest.raises(BankDeclined, match="collection_paid"):
        await cashier.close(paid.request_no)


async def test_closing_an_unknown_number_lets_it_never_arrive(cashier: Cashier) -> None:
    order = await cashier.order()
    closed = await cashier.close(order.request_no)

    with pytest.raises(BankDeclined, match="request_no_closed"):
        await cashier.channel.create(order)

    assert (closed.status, closed.final) == (StatusAtChannel.NOT_FOUND, True)


async def test_a_payment_is_told_by_a_notice_that_names_its_collection(cashier: Cashier, receiver: Receiver) -> None:
    paid = await cashier.collects()

    told = await receiver.wait_for(2)

    assert (told[1].kind, told[1].request_no) == ("collection", paid.request_no)


async def test_two_collections_have_two_payment_pages_that_nobody_can_guess(cashier: Cashier) -> None:
    pages = [(await cashier.opens()).interaction for _ in range(2)]

    tokens = {str(page.qr_content).rsplit("/", 1)[1] for page in pages if page is not None}
    assert len(tokens) == 2
    assert all(re.fullmatch(r"[\w-]{24}", token) for token in tokens)


async def test_a_debit_of_a_card_of_an_unknown_bank_has_no_mandate(cashier: Cashier) -> None:
    with pytest.raises(BankDeclined, match="card_bank_not_supported"):
        await cashier.has_mandate(replace(PAYER, account_no=card_of("629999")))


async def test_the_bank_keeps_to_what_the_payer_allowed_at_once_on_a_day_and_until_when(cashier: Cashier) -> None:
    tomorrow = await cashier.house.now() + timedelta(days=1)
    await cashier.house.waits_until(tomorrow.replace(hour=10))  # the day does not end meanwhile
    mandate = await cashier.has_mandate(per_debit_fen=60_000, per_day_fen=100_000)

    with pytest.raises(BankDeclined, match="mandate_cap_exceeded"):
        await cashier.debits(mandate, 60_001)
    await cashier.debits(mandate, 60_000)
    with pytest.raises(BankDeclined, match="mandate_cap_exceeded"):
        await cashier.debits(mandate, 40_001)
    assert (await cashier.debits(mandate, 40_000)).status is StatusAtChannel.PAID

    yesterday = (await cashier.house.now()).date() - timedelta(days=1)
    over = await cashier.has_mandate(number="M-2", last_day=yesterday)
    with pytest.raises(BankDeclined, match="mandate_not_in_force"):
        await cashier.debits(over)


async def test_a_mandate_suffers_what_its_accounts_last_digits_say(cashier: Cashier) -> None:
    def of(suffix: str) -> Payer:
        return replace(PAYER, account_no=card_of("622202", suffix))

    with pytest.raises(BankDeclined, match="payer_declined"):
        await cashier.has_mandate(of("9003"))
    assert (await cashier.query_mandate(f"{cashier.house.platform_no}/M-1:mandate")).status == "refused"
    for suffix, number, status in (("9001", "M-2", "active"), ("9002", "M-3", "not_found")):
        with pytest.raises(BankUnreachable):
            await cashier.has_mandate(of(suffix), number)
        answer = await cashier.query_mandate(f"{cashier.house.platform_no}/{number}:mandate")
        assert answer.status == status
