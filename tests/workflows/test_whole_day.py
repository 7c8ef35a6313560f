"""A whole day of business with channels: at every hour the books prove themselves against the bank's own file."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta

from escrow.commands.verify_channels import channel_differences
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.money.accounts import Purpose
from escrow.domain.money.amounts import yuan
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.transfers.moves import TransferKind
from escrow.ledger.balances import platform_balances
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO
from tests.story import Story
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR, OWNER
from tests.story_transfers import transferred
from tests.workflows.conftest import StoryAt
from tests.workflows.verifying import begun, platform_has_own_money

TUESDAY_NOON = "2026-03-03T12:00"
CARD = CollectionMethod.ACQUIRING
#: Amounts whose last digits steer the bank; what they mean stands in its README.
PAID_LATE, PAID_TWICE, PAID_SHORT, PAID_OVER = "900.14", "900.15", "900.16", "900.17"


async def in_a_while(story: Story, happened: Callable[[], Awaitable[bool]], what: str) -> None:
    """Time passes by seconds until something has happened."""
    for _ in range(200):
        if await happened():
            return
        await story.time_passes(timedelta(seconds=2))
        await asyncio.sleep(0.05)
    raise AssertionError(f"did not happen: {what}")


async def nothing_goes_back(story: Story) -> None:
    """Every return that was begun has ended."""

    async def none_is_held() -> bool:
        return not any(account.startswith(("refund:", "suspense:2")) for account in await story.balances())

    await in_a_while(story, none_is_held, f"the returns end: {await story.balances()}")


def bank_file(story: Story) -> sqlite3.Connection:
    """The bank's own books, read past all of our code."""
    return sqlite3.connect(f"file:{story.stage.sandbox.data / 'books.sqlite'}?mode=ro", uri=True)


async def books_prove_themselves(story: Story) -> dict[Purpose, int]:
    """Every invariant, our custody and every channel against the bank's own file; the sums by purpose, in fen."""
    await story.books_are_equal()
    await story.books_are_sound()
    stage = story.stage
    assert await channel_differences(stage.recorder, stage.sandbox.bank.collections, story.platform_no) == []
    fen = (await platform_balances(stage.recorder, story.platform_no)).fen_by_purpose
    bank = bank_file(story)
    account = (stage.custody_account_no,)
    [at_bank_fen] = bank.execute("SELECT coalesce(sum(amount_fen), 0) FROM line WHERE acct_no = ?", account).fetchone()
    [owed_fen] = bank.execute(
        "SELECT (SELECT coalesce(sum(amount_fen), 0) FROM collection_payment"
        " WHERE settlement_no IS NULL AND acct_no = :account)"
        " - (SELECT coalesce(sum(amount_fen), 0) FROM collection_refund"
        " WHERE settlement_no IS NULL AND state = 'SUCCESS' AND acct_no = :account)",
        {"account": stage.custody_account_no},
    ).fetchone()
    bank.close()
    assert -fen[Purpose.CUSTODY] == at_bank_fen
    assert -fen.get(Purpose.CHANNEL_DUE, 0) == owed_fen
    ours = {Purpose.CUSTODY, Purpose.CHANNEL_DUE, Purpose.BANK_CHARGES}
    assert sum(amount for purpose, amount in fen.items() if purpose not in ours) == (
        at_bank_fen + owed_fen - fen.get(Purpose.BANK_CHARGES, 0)
    )
    return fen


async def tops_up_in_every_way(story: Story, cashier: Cashier) -> None:
    """Over, twice, short and late by scanning, as asked by card: what was asked is credited, the rest goes back."""
    for number, amount, method in (
        ("T-1", PAID_OVER, QR),
        ("T-2", PAID_TWICE, QR),
        ("T-3", PAID_SHORT, QR),
        ("T-4", "500.00", CARD),
    ):
        await cashier.opens(amount, number=number, method=method)
        await cashier.awaits_payer(number)
        await cashier.payer_pays(number=number)
        await cashier.stands(number, "closed" if amount == PAID_SHORT else "paid")
    await nothing_goes_back(story)
    await cashier.opens(PAID_LATE, number="T-5")
    await cashier.awaits_payer("T-5")
    await story.hours_pass(0.6)
    await cashier.stands("T-5", "closed")

    async def came_late() -> bool:
        await cashier.channel_notifies(number="T-5")
        return (await story.in_the_books("pay_in", "T-5")).status == "paid"

    await in_a_while(story, came_late, "the late payment is credited")


async def test_a_whole_day_proves_itself(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_NOON) as story:
        cashier = Cashier(story)
        await story.members_open()
        await platform_has_own_money(story, "1,000.00")
        await tops_up_in_every_way(story, cashier)
        fen = await books_prove_themselves(story)
        pending_fen = yuan(PAID_OVER) + yuan(PAID_TWICE) + 50_000 + yuan(PAID_LATE)
        assert (fen[Purpose.PENDING], fen[Purpose.CHANNEL_DUE]) == (pending_fen, -pending_fen)

        # One order is paid by scanning and begins; another one is cancelled, and its price goes back.
        for order_no in ("D-1001", "D-1002"):
            await story.order_opens(order_no=order_no)
            await cashier.collects_for_order(story, number=f"{order_no}:pay:1")
            await cashier.payer_pays(number=f"{order_no}:pay:1")
            await cashier.stands(f"{order_no}:pay:1", "paid")
            if order_no == "D-1001":
                await story.starts()
        await story.cancels(CONTRACTOR)
        await nothing_goes_back(story)
        fen = await books_prove_themselves(story)
        assert fen[Purpose.CHANNEL_DUE] == -pending_fen - 18_600_000
        assert fen.get(Purpose.WITHDRAWABLE, 0) == 0, "nothing is withdrawable that no channel has settled"

        # Money that belongs to nobody yet, and a transfer that is not guaranteed; a deposit that verifies an account.
        credit_no = await story.transfer_arrives("80.00", "6217000010000000000")
        await story.bank_lines_are_booked()
        assert await transferred(story, TransferKind.ASSIGNMENT, "AS-1", credit_no, OWNER, "80.00") == "done"
        assert await transferred(story, TransferKind.REVERSAL, "RV-1", "AS-1", OWNER, "30.00") == "done"
        assert await transferred(story, TransferKind.PAYMENT, "PM-1", CONTRACTOR, OWNER, "1,000.00") == "done"
        await unguaranteed_payments_wait_a_day(story)
        assert await transferred(story, TransferKind.PAYMENT, "PM-2", CONTRACTOR, OWNER, "10.00") == "done"
        await begun(story, OWNER, "A-O1")
        await story.bank_lines_are_booked()
        fen = await books_prove_themselves(story)
        assert fen[Purpose.SUSPENSE] == 3_000
        assert fen[Purpose.OWN] > 0

        # The bank's next morning: one channel settles less its fees, the other charges them beside.
        # Temporal's test server skips no more once a child has ended after its parent, here a refund after its order.
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=timedelta(hours=20))
        await story.bank_lines_are_booked()
        fen = await books_prove_themselves(story)
        assert (fen[Purpose.CHANNEL_DUE], fen.get(Purpose.BANK_CHARGES, 0)) == (0, 0)
        await the_bank_returns_the_deposit(story)
        while (await books_prove_themselves(story)).get(Purpose.PENDING, 0):
            await story.day_is_closed()
        balances = await story.balances()
        assert not [account for account in balances if account.startswith(("channel_due", "refund", "bank_charges"))]


async def unguaranteed_payments_wait_a_day(story: Story) -> None:
    """From now on payments that are not guaranteed are made T+1."""
    config = PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, unguaranteed_settlement=Settlement.T_PLUS_1)
    own = OwnBankAccount(account_id="OWN-1", account_no=PLATFORMS_ACCOUNT_NO, cnaps_code="307584007998")
    file = PlatformFile(
        platform_no=story.platform_no,
        name=PLATFORM_NAME,
        contact_mobile="13900000001",
        own_bank_account=own,
        config=config,
    )
    await story.stage.registry.open_platform(file, custody_account_no=story.stage.custody_account_no)


async def the_bank_returns_the_deposit(story: Story) -> None:
    """The micro-deposit comes back, to where it was paid from."""
    before = (await story.balances())["own"]
    await story.stage.sandbox.steer.return_micro_deposit(f"{story.platform_no}/V-1:micro_deposit:1")
    await story.bank_lines_are_booked()
    assert yuan((await story.balances())["own"]) > yuan(before)
