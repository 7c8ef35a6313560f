"""Sentences of stories: money comes in, is paid, and goes out."""

from escrow.testing.answers import TopUp
from escrow.testing.client import until
from escrow.testing.grammar import sentence
from escrow.testing.story_file import PLATFORM
from escrow.testing.tale import Tale, Unfulfilled


@sentence(
    "{who} transfers {amount}", "owner transfers 186,000.00",
    "A transfer from the member's bound account, credited when the line is done; of `platform`, its own money.",
    "从已绑定账户转账入金；platform 则为平台自有资金。入账后此行才算完成。",
)  # fmt: skip
async def transfers(tale: Tale, who: str, amount: int) -> None:
    """Transfer."""
    escrow = tale.escrow
    if who != PLATFORM:
        await escrow.transfer(tale.member_no(who), amount)
        return
    before_fen = (await escrow.sub_accounts()).balance_fen("own")
    await escrow.transfer_from(escrow.platform.own_account_no, escrow.platform.name, amount)
    await until(
        escrow.sub_accounts,
        lambda tree: tree.balance_fen("own") >= before_fen + amount,
        "the platform's own transfer is booked",
    )


@sentence(
    "a stranger transfers {amount}", "a stranger transfers 500.00",
    "A transfer from an account that nobody has bound; it waits in suspense.",
    "未绑定账户转入，进入挂账。",
)  # fmt: skip
async def stranger_transfers(tale: Tale, amount: int) -> None:
    """Transfer from nowhere."""
    escrow = tale.escrow
    before_fen = (await escrow.sub_accounts()).balance_fen("suspense")
    await escrow.transfer_from(escrow.numbers.account(), "路人甲", amount)
    await until(
        escrow.sub_accounts,
        lambda tree: tree.balance_fen("suspense") >= before_fen + amount,
        "a stranger's transfer is in suspense",
    )


@sentence(
    "{who} tops up {amount} by {method}", "owner tops up 1,000.00 by qr_wechat",
    "A channel collects money for the member, who pays at once.",
    "会员经收款渠道充值，并立即付款。",
)  # fmt: skip
async def tops_up(tale: Tale, who: str, amount: int, method: str) -> None:
    """Collect a top-up and pay it."""
    collected = await tale.escrow.top_up(tale.member_no(who), amount, method=method)
    await tale.escrow.payer_pays(collected)
    await until(
        lambda: tale.escrow.top_up_now(collected.top_up_no), lambda now: now.status == "paid", f"{who}'s top-up is paid"
    )


@sentence(
    "{who} pays[ {order}]", "owner pays",
    "The owner pays the full price from its balance; it is frozen in escrow.",
    "业主用余额全额付款，资金冻结进担保。",
)  # fmt: skip
async def pays(tale: Tale, who: str, order: str) -> None:
    """Pay from the balance."""
    await tale.escrow.pay(tale.order_nos[order], by=tale.member_no(who))


@sentence(
    "{who} pays[ {order}] directly by {method}", "owner pays directly by qr_wechat",
    "A channel collects the price, the owner pays at once, and the price is frozen.",
    "经渠道直接支付：立即付款，价款冻结。",
)  # fmt: skip
async def pays_directly(tale: Tale, who: str, order: str, method: str) -> None:
    """Pay through a channel."""
    await is_shown(tale, who, order, method)
    await tale.escrow.payer_pays(tale.collections[order])
    await until(lambda: tale.order(order), lambda now: now.paid_fen > 0, f"{order} is paid through {method}")


@sentence(
    "{who} is shown how to pay[ {order}] by {method}", "owner is shown how to pay by qr_wechat",
    "A channel waits for the owner's payment; nothing is paid yet.",
    "渠道出示付款码，等待业主付款；尚未付款。",
)  # fmt: skip
async def is_shown(tale: Tale, who: str, order: str, method: str) -> None:
    """Open a direct payment."""
    tale.collections[order] = await tale.escrow.pay_directly(
        tale.order_nos[order], by=tale.member_no(who), method=method
    )


@sentence(
    "the payer pays {amount}[ for {order}]", "the payer pays 186,000.00",
    "The payer of the code shown before pays that much, late or again, whatever state the code is in.",
    "之前出示的付款码被支付该金额，迟付或重复付均可。",
)  # fmt: skip
async def payer_pays(tale: Tale, amount: int, order: str) -> None:
    """Pay a code whatever its state."""
    collected = tale.collections.get(order)
    if collected is None:
        raise Unfulfilled("a code that was shown before", "none was shown")
    await tale.escrow.payer_pays_anyway(collected, amount)


@sentence(
    "{who} pays {orders} together", "owner pays kitchen and bathroom together",
    "A batch payment from the owner's balance.",
    "用余额批量支付多个订单。",
)  # fmt: skip
async def pays_together(tale: Tale, who: str, orders: list[str]) -> None:
    """Pay a batch."""
    batch = await tale.escrow.pay_together([tale.order_nos[order] for order in orders], by=tale.member_no(who))
    tale.batch_no = batch.batch_no


@sentence(
    "{who} pays {orders} together by {method}", "owner pays kitchen and bathroom together by qr_alipay",
    "A batch payment through a channel, paid at once.",
    "经渠道批量支付多个订单，立即付款。",
)  # fmt: skip
async def pays_together_by(tale: Tale, who: str, orders: list[str], method: str) -> None:
    """Pay a batch through a channel."""
    batch = await tale.escrow.pay_together(
        [tale.order_nos[order] for order in orders], by=tale.member_no(who), method=method
    )
    tale.batch_no = batch.batch_no
    shown = await until(
        lambda: tale.escrow.batch(batch.batch_no), lambda now: _can_be_paid(now.collection), "the batch shows a code"
    )
    if shown.collection is not None:
        await tale.escrow.payer_pays(shown.collection)
    await until(
        lambda: tale.escrow.batch(batch.batch_no), lambda now: now.status != "awaiting_payment", "the batch is paid"
    )


def _can_be_paid(collected: TopUp | None) -> bool:
    return collected is not None and collected.interaction is not None


@sentence(
    "{who} withdraws {amount}", "contractor withdraws 53,010.00",
    "A withdrawal to the bound account; the line is done when it has ended or waits for a rail to open.",
    "提现到已绑定账户；到账、失败或排队等通道开放时此行完成。",
)  # fmt: skip
async def withdraws(tale: Tale, who: str, amount: int) -> None:
    """Withdraw an amount."""
    withdrawal = await tale.escrow.withdraw(None if who == PLATFORM else tale.member_no(who), amount)
    tale.withdrawal_no = withdrawal.withdrawal_no
    await until(
        lambda: tale.escrow.withdrawal(tale.withdrawal_no),
        lambda now: now.stands_still,
        f"the withdrawal of {who} has ended or waits",
    )


@sentence(
    "{who} withdraws everything", "contractor withdraws everything",
    "The same with all that can be withdrawn.",
    "提现全部可提现余额。",
)  # fmt: skip
async def withdraws_everything(tale: Tale, who: str) -> None:
    """Withdraw what can be withdrawn."""
    if who == PLATFORM:
        amount_fen = (await tale.escrow.sub_accounts()).balance_fen("own")
    else:
        amount_fen = (await tale.escrow.balances(tale.member_no(who))).withdrawable_fen
    await withdraws(tale, who, amount_fen)


@sentence(
    "{who} asks to withdraw {amount}", "contractor asks to withdraw 53,010.00",
    "The same without waiting for its end.",
    "申请提现，不等待结果。",
)  # fmt: skip
async def asks_to_withdraw(tale: Tale, who: str, amount: int) -> None:
    """Ask for a withdrawal."""
    withdrawal = await tale.escrow.withdraw(None if who == PLATFORM else tale.member_no(who), amount)
    tale.withdrawal_no = withdrawal.withdrawal_no
