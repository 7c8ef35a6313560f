"""The client lives through a contract on a stack of its own, as a platform's tester would let it."""

from datetime import UTC, datetime, timedelta

import pytest

from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.time.calendars import SHANGHAI
from escrow.sandbox.moments import begin_of_story
from escrow.testing.client import AwaitsMember, DidNotHappen, Escrow, PlatformUnderTest, Refusal, until
from escrow.testing.stacks import StackUnderTest

PRICE_FEN = 18_600_000


async def parties(escrow: Escrow) -> None:
    await escrow.open_member("O-1", card_checked=True)
    await escrow.open_member("C-1", kind="company")
    await escrow.open_order("D-1", owner="O-1", contractor="C-1", total_fen=PRICE_FEN)


async def test_a_contract_is_paid_worked_and_withdrawn(escrow: Escrow) -> None:
    begins_at = escrow.platform.begins_at
    assert timedelta(0) <= await escrow.now() - begins_at < timedelta(hours=1)
    await parties(escrow)
    await escrow.transfer("O-1", PRICE_FEN)
    assert (await escrow.pay("D-1", by="O-1")).order.status == "awaiting_start"
    await escrow.start("D-1", by="C-1")
    await escrow.complete("D-1", 2, by="C-1")
    now = await escrow.skip(days=8)
    assert now.tzinfo is SHANGHAI
    assert timedelta(days=8) <= now - begins_at < timedelta(days=8, hours=1)
    assert (await escrow.order("D-1")).milestones[1].accepted_by == "silence"
    assert ["水电" in text.text for text in await escrow.sms(escrow.people["O-1"].mobile)][-1]
    assert (await escrow.sub_accounts()).balance_fen("fees") == 2 * 279_000
    withdrawal = await escrow.withdraw("C-1", 5_000_000)
    assert (await escrow.withdrawal_ended(withdrawal.withdrawal_no)).status == "paid"
    assert await escrow.attention() == []
    statement = await escrow.statement("C-1")
    assert statement.closing_fen == sum(line.amount_fen for line in statement.lines) == 2 * 5_301_000 - 5_000_000
    assert [event.event_type for event in await escrow.events() if event.kind == "order"][:2] == [
        "order.opened",
        "order.paid",
    ]


async def test_a_no_has_a_code_and_a_detail(escrow: Escrow) -> None:
    await parties(escrow)
    with pytest.raises(Refusal) as refused:
        await escrow.start("D-1", by="C-1")
    assert (refused.value.status, refused.value.code) == (409, "order_state")
    assert "awaiting_payment" in refused.value.detail
    with pytest.raises(Refusal) as unknown:
        await escrow.order("D-2")
    assert unknown.value.code == "not_found"


async def test_a_top_up_suffers_what_its_amount_says(escrow: Escrow) -> None:
    await escrow.open_member("O-1")
    short_fen = escrow.numbers.amount_fen(suffers="paid_short", at_least_fen=100_000)
    collected = await escrow.top_up("O-1", short_fen)
    await escrow.payer_pays(collected)
    paid = await until(
        lambda: escrow.top_up_now(collected.top_up_no),
        lambda now: [payment.outcome for payment in now.payments] == ["returned"],
        "the short payment goes back",
    )
    assert paid.payments[0].amount_fen == short_fen - 100


async def test_members_authorise_on_their_page_or_are_waited_for(
    escrow_stack: StackUnderTest, escrow_platform: PlatformUnderTest, escrow: Escrow
) -> None:
    config = PlatformConfig.model_validate({"authorisation": {"accept": "sms_code"}}).model_dump(mode="json")
    platform = await escrow_stack.open_platform(None, escrow_platform.begins_at, config=config)
    for authorises in (False, True):
        client = Escrow(platform, authorises=authorises)
        try:
            if not authorises:
                await parties(client)
                await client.transfer("O-1", PRICE_FEN)
                await client.pay("D-1", by="O-1")
                await client.start("D-1", by="C-1")
                await client.complete("D-1", 2, by="C-1")
                people = client.people
                with pytest.raises(AwaitsMember) as waits:
                    await client.accept("D-1", 2, by="O-1")
                assert waits.value.authorization.method == "sms_code"
            else:
                client.people |= people
                client.connection.next_request_no = lambda: "R-accept"  # type: ignore[method-assign]  # numbers of the first client are used
                assert (await client.accept("D-1", 2, by="O-1")).order.milestones[1].status == "released"
        finally:
            await client.aclose()


async def test_what_does_not_happen_is_told_with_what_was_seen_last() -> None:
    async def look() -> str:
        return "a horse"

    with pytest.raises(DidNotHappen, match="this: a unicorn comes; seen last: 'a horse'"):
        await until(look, lambda seen: seen == "a unicorn", "a unicorn comes", within_seconds=0.2)


@pytest.fixture
def begins_at_year_end(escrow_stack: StackUnderTest) -> PlatformUnderTest:
    begin_at = begin_of_story("year-end", datetime.now(UTC))
    return escrow_stack.background.run(escrow_stack.open_platform(None, begin_at))


async def test_a_platform_may_begin_at_any_moment(begins_at_year_end: PlatformUnderTest) -> None:
    client = Escrow(begins_at_year_end)
    try:
        assert (await client.now()).hour == 23
        await client.skip(hours=1)
        assert f"{await client.now():%m-%d}" == "01-01"
    finally:
        await client.aclose()
