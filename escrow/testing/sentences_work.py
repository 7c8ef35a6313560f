"""Sentences of stories: the work and its commands, time that passes, and what happens at the bank."""

from datetime import datetime, time, timedelta

from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.withdrawals.rails import Rail
from escrow.testing.client import until
from escrow.testing.grammar import sentence
from escrow.testing.tale import Tale


@sentence(
    "{who} starts[ {order}]", "contractor starts",
    "The work starts; a deposit is released.",
    "开工；定金解冻。",
)  # fmt: skip
async def starts(tale: Tale, who: str, order: str) -> None:
    """Start."""
    await tale.escrow.start(tale.order_nos[order], by=tale.member_no(who))


@sentence(
    "{who} completes {milestone}[ of {order}]", "contractor completes 水电",
    "A milestone is reported complete; its inspection period begins, or goes on after a rectification.",
    "报告节点完工；验收期开始（整改后则继续）。",
)  # fmt: skip
async def completes(tale: Tale, who: str, milestone: str, order: str) -> None:
    """Report complete."""
    number = await tale.milestone_number(milestone, order)
    await tale.escrow.complete(tale.order_nos[order], number, by=tale.member_no(who))


@sentence(
    "{who} accepts {milestone}[ of {order}]", "owner accepts 水电",
    "A milestone is accepted and its money released; on the hosted page where the platform has it so.",
    "验收节点，资金解冻；平台有此要求时在托管页面上授权。",
)  # fmt: skip
async def accepts(tale: Tale, who: str, milestone: str, order: str) -> None:
    """Accept."""
    number = await tale.milestone_number(milestone, order)
    await tale.escrow.accept(tale.order_nos[order], number, by=tale.member_no(who))


@sentence(
    "{who} asks to rectify {milestone}[ of {order}]", "owner asks to rectify 水电",
    "A milestone is to be put right; the inspection clock stands still.",
    "要求整改；验收计时暂停。",
)  # fmt: skip
async def rectifies(tale: Tale, who: str, milestone: str, order: str) -> None:
    """Ask for a rectification."""
    number = await tale.milestone_number(milestone, order)
    await tale.escrow.rectify(tale.order_nos[order], number, by=tale.member_no(who))


@sentence(
    "{who} cancels[ {order}]", "owner cancels",
    "One side cancels: before the start that is enough, later the other side has to cancel too.",
    "一方取消：开工前即可生效，开工后需双方都取消。",
)  # fmt: skip
async def cancels(tale: Tale, who: str, order: str) -> None:
    """Cancel."""
    await tale.escrow.cancel(tale.order_nos[order], by=tale.member_no(who))


@sentence(
    "{who} sets a payment password", "owner sets a payment password",
    "On the hosted page, proved by a code in an SMS.",
    "在托管页面上设置支付密码，短信验证码验证。",
)  # fmt: skip
async def sets_password(tale: Tale, who: str) -> None:
    """Set the payment password."""
    await tale.escrow.set_payment_password(tale.member_no(who))


# ---- time ----


@sentence(
    "{count} day[s] pass[es]", "7 days pass",
    "Time passes for the platform, its bank and all that waits; what falls due happens at its hour.",
    "时间流逝：到期的事情在其时刻发生。",
)  # fmt: skip
async def days_pass(tale: Tale, count: int) -> None:
    """Skip days."""
    await tale.escrow.skip(days=count)


@sentence("{count} hour[s] pass[es]", "3 hours pass", "Hours pass.", "过若干小时。")
async def hours_pass(tale: Tale, count: int) -> None:
    """Skip hours."""
    await tale.escrow.skip(hours=count)


@sentence("{count} minute[s] pass[es]", "20 minutes pass", "Minutes pass.", "过若干分钟。")
async def minutes_pass(tale: Tale, count: int) -> None:
    """Skip minutes."""
    await tale.escrow.skip(minutes=count)


@sentence(
    "the next morning comes", "the next morning comes",
    "Time passes until 10:00 of the next day in Shanghai.",
    "到上海时间次日 10:00。",
)  # fmt: skip
async def next_morning(tale: Tale) -> None:
    """Skip to the next morning."""
    tomorrow = (await tale.escrow.now()).date() + timedelta(days=1)
    await tale.escrow.skip(until=datetime.combine(tomorrow, time(10), tzinfo=SHANGHAI))


@sentence(
    "the next deadline[ of {order}] comes", "the next deadline of the order comes",
    "Time passes until the next thing that the order waits for has happened: a reminder, silence, the end of a period.",
    "到订单的下一个期限：提醒、默认验收、期满。",
)  # fmt: skip
async def next_deadline(tale: Tale, order: str) -> None:
    """Skip to the order's next deadline."""
    await tale.escrow.skip_to_deadline(order_no=tale.order_nos[order])


@sentence(
    "a rail opens", "a rail opens",
    "Time passes until the withdrawal that waits can leave; the line is done when it has ended.",
    "到排队中的提现可以发出；提现结束时此行完成。",
)  # fmt: skip
async def rail_opens(tale: Tale) -> None:
    """Skip until the last withdrawal can leave."""
    await tale.escrow.skip_to_deadline(withdrawal_no=tale.withdrawal_no)
    await tale.escrow.withdrawal_ended(tale.withdrawal_no)


# ---- the bank, and our own machines ----


@sentence(
    "bank declines the next payout", "bank declines the next payout",
    "The next payment order gets a definite no.",
    "银行拒绝下一笔付款。",
)  # fmt: skip
async def bank_declines(tale: Tale) -> None:
    """Decline once."""
    await tale.escrow.bank.next_suffers("declined")


@sentence(
    "bank returns the next payout", "bank returns the next payout",
    "The next payment order succeeds and comes back after two days.",
    "下一笔付款成功，两天后退票。",
)  # fmt: skip
async def bank_returns(tale: Tale) -> None:
    """Return once."""
    await tale.escrow.bank.next_suffers("returned")


@sentence(
    "bank does not answer the next payout", "bank does not answer the next payout",
    "The next payment order is booked, and nobody hears of it: it has to be asked about.",
    "银行已受理下一笔付款但不应答：只能查询，不得重发。",
)  # fmt: skip
async def bank_does_not_answer(tale: Tale) -> None:
    """Time out once."""
    await tale.escrow.bank.next_suffers("timeout_booked")


@sentence(
    "the next {word} suffers {scenario}", "the next refund suffers declined",
    "Any misfortune of the bank sandbox, for the next payout, collection, refund, micro_deposit, card_check, mandate, "
    "transfer, sms or read; the names are those of `escrow.testing.scenarios`.",
    "银行沙箱的任一异常，作用于下一笔同类请求；名称见 `escrow.testing.scenarios`。",
)  # fmt: skip
async def next_suffers(tale: Tale, word: str, scenario: str) -> None:
    """Order a misfortune once."""
    await tale.escrow.bank.next_suffers(scenario, word)  # type: ignore[arg-type]  # the bank refuses other words


@sentence("rail {rail} is down", "rail hvps is down", "The bank refuses payments over a rail.", "某通道停用。")
async def rail_down(tale: Tale, rail: str) -> None:
    """Take a rail down."""
    await tale.escrow.bank.set_rail_health(Rail(rail), "DOWN")


@sentence("rail {rail} is up", "rail hvps is up", "The rail works again.", "某通道恢复。")
async def rail_up(tale: Tale, rail: str) -> None:
    """Bring a rail up."""
    await tale.escrow.bank.set_rail_health(Rail(rail), "UP")


@sentence(
    "the worker is killed", "the worker is killed",
    "SIGKILL, as a crash would; it stays away. Only on a stack of the session's own.",
    "杀死工作进程（SIGKILL），不再自动启动。仅限测试会话自己的环境。",
)  # fmt: skip
async def worker_killed(tale: Tale) -> None:
    """Kill the worker."""
    await tale.stack.kill_worker()


@sentence("the worker is back", "the worker is back", "Another worker starts.", "新的工作进程启动。")
async def worker_back(tale: Tale) -> None:
    """Start the worker."""
    await tale.stack.start_worker()


@sentence(
    "the payout has reached the bank", "the payout has reached the bank",
    "Waits until the bank has the payment order of the last withdrawal, answered or not.",
    "等到银行收到最近一笔提现的付款指令（不论是否应答）。",
)  # fmt: skip
async def payout_at_bank(tale: Tale) -> None:
    """Wait for the payment order at the bank."""
    prefix = f"{tale.escrow.platform.platform_no}/{tale.withdrawal_no}:payout:"

    async def request_numbers() -> list[str]:
        return [payout["reqSeq"] for payout in await tale.escrow.bank.payouts()]

    await until(
        request_numbers,
        lambda numbers: any(number.startswith(prefix) for number in numbers),
        f"the bank has a payment order {prefix}…",
    )
