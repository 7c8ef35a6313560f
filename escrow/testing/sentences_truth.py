"""Sentences of stories: what must be true. What is still under way is waited for."""

from escrow.domain.money.amounts import format_fen
from escrow.testing.answers import Withdrawal
from escrow.testing.client import PLATFORM as PLATFORM_NO
from escrow.testing.grammar import sentence
from escrow.testing.tale import Tale, Unfulfilled


@sentence(
    "{who} can withdraw {amount}", "contractor can withdraw 53,010.00",
    "What the member can withdraw now.",
    "会员当前可提现金额。",
)  # fmt: skip
async def can_withdraw(tale: Tale, who: str, amount: int) -> None:
    """Compare the withdrawable balance."""

    async def now_fen() -> int:
        if who == PLATFORM_NO:
            return (await tale.escrow.sub_accounts()).balance_fen("own")
        return (await tale.escrow.balances(tale.member_no(who))).withdrawable_fen

    await tale.amount_becomes(amount, now_fen, about=who)


@sentence(
    "{who} has {amount} pending", "contractor has 2,850.00 pending",
    "What becomes withdrawable when its day is closed.",
    "待转可提现金额（日终后可提现）。",
)  # fmt: skip
async def has_pending(tale: Tale, who: str, amount: int) -> None:
    """Compare the pending balance."""

    async def now_fen() -> int:
        return (await tale.escrow.balances(tale.member_no(who))).pending_fen

    await tale.amount_becomes(amount, now_fen, about=who)


@sentence(
    "{who} has {amount} available", "owner has 14,000.00 available",
    "What the member can spend now.",
    "会员当前可用金额。",
)  # fmt: skip
async def has_available(tale: Tale, who: str, amount: int) -> None:
    """Compare the available balance."""

    async def now_fen() -> int:
        return (await tale.escrow.balances(tale.member_no(who))).available_fen

    await tale.amount_becomes(amount, now_fen, about=who)


@sentence(
    "escrow holds {amount}", "escrow holds 130,200.00",
    "What is frozen for all orders together.",
    "全部订单冻结在担保中的金额。",
)  # fmt: skip
async def escrow_holds(tale: Tale, amount: int) -> None:
    """Compare the escrow sub-account."""
    await _sub_account(tale, "escrow", amount)


@sentence(
    "escrow holds {amount} for {order}", "escrow holds 60,000.00 for kitchen",
    "What is frozen for one order.",
    "某订单冻结在担保中的金额。",
)  # fmt: skip
async def escrow_holds_for(tale: Tale, amount: int, order: str) -> None:
    """Compare what one order holds."""

    async def now_fen() -> int:
        return (await tale.order(order)).held_fen

    await tale.amount_becomes(amount, now_fen, about=tale.terms.contracts[order].owner)


@sentence(
    "{word} holds {amount}", "suspense holds 500.00",
    "A functional sub-account: fees, suspense, own, top_up_in_transit (what channels owe), withdrawal_in_transit.",
    "功能子账户余额：fees、suspense、own、top_up_in_transit（渠道在途）、withdrawal_in_transit。",
)  # fmt: skip
async def sub_account_holds(tale: Tale, word: str, amount: int) -> None:
    """Compare a functional sub-account."""
    await _sub_account(tale, word, amount)


async def _sub_account(tale: Tale, number: str, expected_fen: int) -> None:
    async def now_fen() -> int:
        tree = await tale.escrow.sub_accounts()
        known = [item.sub_account_no for item in tree.functional]
        if number not in known:
            raise Unfulfilled(f"a sub-account {number}", ", ".join(known))
        return tree.balance_fen(number)

    await tale.amount_becomes(expected_fen, now_fen)


@sentence(
    "{order} is {word}", "the order is awaiting_start",
    "Where an order stands: awaiting_payment, closed_unpaid, awaiting_start, in_progress, in_warranty, settled, "
    "cancelled.",
    "订单状态。",
)  # fmt: skip
async def order_is(tale: Tale, order: str, word: str) -> None:
    """Compare an order's status."""

    async def now() -> str:
        return (await tale.order(order)).status

    await tale.becomes(word, now, about=tale.terms.contracts[order].owner)


@sentence(
    "{milestone} is {word}[ of {order}]", "水电 is in_inspection",
    "Where a milestone stands: planned, in_work, in_inspection, in_rectification, released, refunded.",
    "节点状态。",
)  # fmt: skip
async def milestone_is(tale: Tale, milestone: str, word: str, order: str) -> None:
    """Compare a milestone's status."""
    number = await tale.milestone_number(milestone, order)

    async def now() -> str:
        return (await tale.order(order)).milestones[number - 1].status

    await tale.becomes(word, now, about=tale.terms.contracts[order].owner)


@sentence(
    "{milestone} was accepted by {word}[ of {order}]", "泥木 was accepted by silence",
    "Who accepted: a member, or silence.",
    "由谁验收：会员，或 silence（默认验收）。",
)  # fmt: skip
async def accepted_by(tale: Tale, milestone: str, word: str, order: str) -> None:
    """Compare who accepted."""
    number = await tale.milestone_number(milestone, order)

    async def now() -> str:
        return (await tale.order(order)).milestones[number - 1].accepted_by

    await tale.becomes(tale.member_no(word), now)


@sentence(
    "{amount} were refunded[ of {order}]", "186,000.00 were refunded",
    "What an order has given back to its owner.",
    "订单已退还业主的金额。",
)  # fmt: skip
async def were_refunded(tale: Tale, amount: int, order: str) -> None:
    """Compare what was refunded."""

    async def now_fen() -> int:
        return (await tale.order(order)).refunded_fen

    await tale.amount_becomes(amount, now_fen, about=tale.terms.contracts[order].owner)


@sentence(
    "{who} has had {count} SMS", "owner has had 3 SMS",
    "How many text messages went to the member's mobile; `no`, `one`, `two` … will do.",
    "发往会员手机的短信条数；也可写 `no`、`one`、`two`……",
)  # fmt: skip
async def has_had_sms(tale: Tale, who: str, count: int) -> None:
    """Count text messages."""

    async def texts() -> int:
        return len(await tale.escrow.sms(_mobile(tale, who)))

    await tale.becomes(count, texts, about=who)


@sentence(
    "the last SMS to {who} says {text}", "the last SMS to owner says 水电",
    "Words that the newest text message to the member holds.",
    "会员最近一条短信包含的文字。",
)  # fmt: skip
async def sms_says(tale: Tale, who: str, text: str) -> None:
    """Look into the newest text message."""

    async def newest() -> str:
        sent = await tale.escrow.sms(_mobile(tale, who))
        said = sent[-1].text if sent else "no SMS"
        return text if text in said else said

    await tale.becomes(text, newest, about=who)


def _mobile(tale: Tale, who: str) -> str:
    if who == PLATFORM_NO:
        return tale.escrow.platform.contact_mobile
    return tale.escrow.people[tale.member_no(who)].mobile


@sentence(
    "the withdrawal is {word}", "the withdrawal is paid",
    "Where the last withdrawal stands: held, queued, submitted, unknown, paid, failed, needs_attention.",
    "最近一笔提现的状态。",
)  # fmt: skip
async def withdrawal_is(tale: Tale, word: str) -> None:
    """Compare the last withdrawal's status."""

    async def now() -> str:
        return (await tale.escrow.withdrawal(tale.withdrawal_no)).status

    await tale.becomes(word, now)


@sentence(
    "the withdrawal went over {rail}", "the withdrawal went over ibps",
    "The rail that the last withdrawal was sent over: in_bank, unionpay, ibps, hvps, beps, shenzhen_local.",
    "最近一笔提现所走的通道。",
)  # fmt: skip
async def went_over(tale: Tale, rail: str) -> None:
    """Compare the rail."""

    async def now() -> str:
        return str((await tale.escrow.withdrawal(tale.withdrawal_no)).rail)

    await tale.becomes(rail, now)


@sentence(
    "the withdrawal was sent {count} time[s]", "the withdrawal was sent one time",
    "How many payment orders the last withdrawal took.",
    "最近一笔提现发出的付款指令数。",
)  # fmt: skip
async def was_sent(tale: Tale, count: int) -> None:
    """Count payment orders."""

    async def attempts() -> int:
        return len((await tale.escrow.withdrawal(tale.withdrawal_no)).attempts)

    await tale.becomes(count, attempts)


@sentence(
    "the bank has {count} payout[s] of it", "the bank has one payout of it",
    "How many payments of the last withdrawal the bank itself lists.",
    "银行列出的最近一笔提现的付款笔数。",
)  # fmt: skip
async def payouts_at_bank(tale: Tale, count: int) -> None:
    """Count payments at the bank."""
    prefix = f"{tale.escrow.platform.platform_no}/{tale.withdrawal_no}:payout:"

    async def listed() -> int:
        return sum(payout["reqSeq"].startswith(prefix) for payout in await tale.escrow.bank.payouts())

    await tale.becomes(count, listed)


@sentence(
    "{who} was paid {amount} in {count} withdrawal[s]", "contractor was paid 176,700.00 in 5 withdrawals",
    "All withdrawals of the member that have arrived, by its own wish or by the contract.",
    "会员全部已到账提现的合计与笔数（含自动提现）。",
)  # fmt: skip
async def was_paid(tale: Tale, who: str, amount: int, count: int) -> None:
    """Add up what arrived."""
    member_no = None if who == PLATFORM_NO else tale.member_no(who)

    def is_its(withdrawal: Withdrawal) -> bool:
        return withdrawal.member_no == member_no and withdrawal.status == "paid"

    async def arrived() -> str:
        paid = list(filter(is_its, await tale.escrow.withdrawals()))
        return _in_withdrawals(sum(one.principal_fen for one in paid), len(paid))

    await tale.becomes(_in_withdrawals(amount, count), arrived, about=who)


def _in_withdrawals(amount_fen: int, count: int) -> str:
    return f"{format_fen(amount_fen)} in {count} withdrawals"


@sentence(
    "the batch is {word}", "the batch is paid",
    "Where the last batch payment stands: awaiting_payment, paid, closed.",
    "最近一笔批量支付的状态。",
)  # fmt: skip
async def batch_is(tale: Tale, word: str) -> None:
    """Compare the batch's status."""

    async def now() -> str:
        return (await tale.escrow.batch(tale.batch_no)).status

    await tale.becomes(word, now)


@sentence(
    "the code was {word}[ for {order}]", "the code was closed",
    "Where the collection by the code that was shown stands: awaiting_payer, paid, closed, failed.",
    "所出示付款码的收款状态。",
)  # fmt: skip
async def code_was(tale: Tale, word: str, order: str) -> None:
    """Compare the collection's status."""

    async def now() -> str:
        collected = tale.collections.get(order)
        if collected is None:
            raise Unfulfilled("a code that was shown before", "none was shown")
        return (await tale.escrow.direct_payment(collected)).status

    await tale.becomes(word, now)
