"""Rows of orders, and how each is brought to its point: what parties say, what time does, who is told."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from activities.rounds import TakeUp
from escrow.domain.orders.operations import released_claim
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.books_time import books_now, move_story
from escrow.stack.runs import described
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.matrix import Call, Posting, Round
from tests.identities import verify
from tests.telling import told
from tests.waiting import until
from workflows.messages import order_workflow_id
from workflows.rounds import ROUNDS_WORKFLOW_ID

#: Steps wait for five days at most, and an inspection for seven: six and an hour pass twice in a round. Reminders are
#: an hour late with that, and seconds to minutes: the fifth quarter of an hour has begun.
CONFIG = PlatformConfig.model_validate(
    {"top_up_settlement": "T+0", "start_deadline_days": 5, "stage_deadline_days": 5, "retention_days": 5}
)
_PASSING = timedelta(days=6, hours=1)
REMINDER = "{no}:M2:reminder:1:5"
_WITH_WARRANTY = [
    {"name": "定金", "kind": "start", "amount_fen": 30_000},
    {"name": "竣工验收", "kind": "acceptance", "amount_fen": 60_000},
    {"name": "质保金", "kind": "warranty", "amount_fen": 10_000},
]
#: Owner of the order that nobody can be reminded of.
WITHOUT_A_MOBILE = "O-2"


def _said(command: str, number: str, how: str = "", *, said_as: str = "") -> Posting:
    return Posting(
        activity="take_order_command",
        command=f"PartyCommand {command}{how}",
        number=f"{{no}}:{number}",
        reads=f"{{no}}-{said_as or command}",
    )


def _passed(deadline: str, number: str) -> Posting:
    kind = deadline.split(":")[1] if ":" in deadline else deadline
    return Posting(
        activity="take_order_command",
        command=f"DeadlinePassed {kind}",
        number=f"{{no}}:{number}",
        reads=f"order/{{no}}/{deadline}",
    )


_REMINDER = {"activity": "remind_owner", "what": "tells the owner", "method": "POST", "path": "/gateway/sms"}


class OrdersRound(Round):
    """One order for each row."""

    POSTINGS: ClassVar = {
        "open": Posting(activity="enter_order", command="Open", number="{no}:open", reads=":order:{no}:open"),
        "pay": _said("pay", "freeze"),
        "start": _said("start", "M1:release:1"),
        "complete": _said("complete", "M2:complete:1"),
        "accept": _said("accept", "M2:release:1"),
        "rectify": _said("rectify", "M2:rectify:1"),
        "cancel": _said("cancel", "refund"),
        "propose": _said("cancel", "propose-cancel:{no}-cancel", ", by one side"),
        "agree": _said("cancel", "refund", ", by the other", said_as="agree"),
        "unpaid": _passed("payment", "close"),
        "unstarted": _passed("start", "refund"),
        "late": _passed("M2:work:0", "M2:work:0:overdue"),
        "silent": _passed("M2:inspection:1", "M2:release:1"),
        "warranted": _passed("warranty", "M3:release:1"),
        "claimed": Posting(
            activity="take_order_command",
            command="CallOperator",
            number=r"{no}:attention:\d+",
            reads="{no}:attention:",
        ),
        "reminded": Posting(
            activity="remind_owner",
            command="OwnerReminded",
            number="{no}:M2:reminded:1",
            reads="{no}:M2:reminded:1",
        ),
        "attended": Posting(
            activity="take_up", command="OperatorCame", number=r"{no}:attended:\d+", reads="{no}:attended:"
        ),
        "mute": Posting(
            activity="remind_owner", command="CallOperator", number=r"{no}:attention:\d+", reads="{no}:attention:"
        ),
    }
    CALLS: ClassVar = {"told": Call(**_REMINDER, says=REMINDER)}
    PRELIMINARIES: ClassVar = {"reminded": Call(**_REMINDER, says=REMINDER)}
    EFFECTS: ClassVar = frozenset(CALLS)
    AHEAD: ClassVar = frozenset(
        {"unpaid", "unstarted", "late", "silent", "warranted", "claimed", "reminded", "told", "mute", "attended"}
    )

    async def prepare(self) -> None:
        """Bring every object to the step before the one it is there for."""
        await asyncio.gather(
            self._order("attended", "pay", "start"),
            *(self._order(part, "pay", "start", "complete") for part in ("silent", "claimed")),
        )
        await self._time_passes()
        await asyncio.gather(*(self._look(part) for part in ("silent", "claimed", "attended")))
        await asyncio.gather(
            self._order("pay"),
            self._order("start", "pay"),
            self._order("complete", "pay", "start"),
            self._order("accept", "pay", "start", "complete"),
            self._order("rectify", "pay", "start", "complete"),
            self._order("cancel", "pay"),
            self._order("propose", "pay", "start"),
            self._order("agree", "pay", "start", "cancel"),
            self._order("unpaid"),
            self._order("unstarted", "pay"),
            self._order("late", "pay", "start"),
            self._order("warranted", "pay", "start", "complete", "accept"),
            *(self._order(part, "pay", "start", "complete") for part in ("reminded", "told", "mute")),
            *(self._until(self._is_reminded, part) for part in ("silent", "claimed")),
            self._until(self._needs_attention, "attended"),
        )
        # Somebody else has what the release of this order must have: it cannot happen, and an operator is called.
        await self._plant(
            "INSERT INTO claim (platform_no, name, request_no) VALUES ($1, $2, 'planted')", self.no("claimed")
        )
        await self._time_passes()

    async def make_calls(self) -> None:
        """The owners of two orders are to be reminded."""
        await asyncio.gather(self._look("told"), self._look("reminded"))

    async def run_ahead(self) -> str:
        """A release is refused; only then an operator is called."""
        await self._look("claimed")
        return f"{self.no('claimed')}:M2:release:1"

    async def make_postings(self) -> None:
        """Parties speak, and deadlines have passed."""
        self.call("open", callers.open_order(self.trade, self.no("open")))
        for part in ("pay", "start", "complete", "accept", "rectify", "cancel", "propose"):
            operation = "cancel" if part == "propose" else part
            self.call(part, callers.command(self.trade, self.no(part), operation))
        agreeing = callers.command(
            self.trade, self.no("agree"), "cancel", by="C-1", request_no=f"{self.no('agree')}-agree"
        )
        self.call("agree", agreeing)
        self.call("attended", self._operator_came("attended"))
        await asyncio.gather(
            *(self._look(part) for part in ("unpaid", "unstarted", "late", "silent", "warranted", "mute"))
        )

    async def at_bank(self) -> set[str]:
        """Whether the owner of the order whose reminder is kept was told."""
        number = REMINDER.format(no=self.no("told"))
        return {"told"} if number in await self.house.texts(self.ahead) else set()

    async def lead_to_end(self) -> None:
        """Every order ends; the one that cannot be released once what was planted is gone."""
        await self._until(self._needs_attention, "claimed")
        await self._plant("DELETE FROM claim WHERE platform_no = $1 AND name = $2", self.no("claimed"))
        await asyncio.gather(*(self._look(part) for part in self.AHEAD))
        await asyncio.gather(
            *(self._until(self._needs_attention, part) for part in ("mute", "late")),
            *(self._until(self._is_reminded, part) for part in ("reminded", "told")),
            *(self._until(self._ends, part) for part in ("silent", "claimed", "warranted")),
        )
        await asyncio.gather(*(self._lead_to_end(part) for part in ("first", *self.POSTINGS, *self.CALLS)))

    # ---- parts ----

    async def _lead_to_end(self, part: str) -> None:
        owner_no = WITHOUT_A_MOBILE if part == "mute" else "O-1"
        await callers.lead_to_end(self.platform_of(part), self.no(part), owner_no)

    async def _order(self, part: str, *operations: str) -> None:
        platform, number = self.platform_of(part), self.no(part)
        owner_no = WITHOUT_A_MOBILE if part == "mute" else "O-1"
        terms = {"owner_no": owner_no} | ({"milestones": _WITH_WARRANTY} if part == "warranted" else {})
        await callers.open_order(platform, number, **terms)
        for operation in operations:
            await callers.command(platform, number, operation, by=owner_no if operation in ("pay", "accept") else "")

    async def _time_passes(self) -> None:
        recorder, platform_no = self.house.recorder, self.ahead.number
        await move_story(recorder, platform_no, await books_now(recorder, platform_no) + _PASSING)

    async def _look(self, part: str) -> None:
        """Its process is told that time has passed."""
        order = self.temporal.get_workflow_handle(order_workflow_id(self.ahead.number, self.no(part)))
        await told(order, "look")

    async def _operator_came(self, part: str) -> dict[str, object]:
        """An operator has looked after it and has it taken up."""
        request = TakeUp(platform_no=self.ahead.number, object_no=self.no(part))
        rounds = self.temporal.get_workflow_handle(ROUNDS_WORKFLOW_ID)
        await rounds.execute_update("resume", request)
        return {}

    async def _plant(self, statement: str, order_no: str) -> None:
        async with self.house.superuser() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")  # claims are for ever
            await connection.execute(statement, self.ahead.number, released_claim(order_no, 2))

    async def _until(self, holds: Callable[[str], Coroutine[Any, Any, bool]], part: str) -> None:
        await until(partial(holds, part), f"{holds.__name__} {part}", seen=partial(self._stands, part))

    async def _stands(self, part: str) -> dict[str, object]:
        """What its process is at, for whoever waits in vain."""
        said = await described(self.temporal, order_workflow_id(self.platform_of(part).number, self.no(part)))
        assert said is not None
        return {
            "needs_attention": (await self._shown(part))["needs_attention"],
            "activities": [str(pending) for pending in said.pending_activities],
            "next step": str(said.pending_workflow_task),
        }

    async def _shown(self, part: str) -> dict[str, object]:
        shown: dict[str, object] = (await self.platform_of(part).get(f"/orders/{self.no(part)}")).json()
        return shown

    async def _is_reminded(self, part: str) -> bool:
        return f"{self.no(part)}:M2:reminded:1" in await self.house.requests_of(self.ahead, self.no(part))

    async def _needs_attention(self, part: str) -> bool:
        return bool((await self._shown(part))["needs_attention"])

    async def _ends(self, part: str) -> bool:
        return (await self._shown(part))["status"] == "settled"


async def open_without_a_mobile(platform: Platform, card: str) -> None:
    """Open an owner to whom no text can be sent."""
    name = "王小明"
    await callers.insist(platform, "/members", member_no=WITHOUT_A_MOBILE, kind="person", name=name)
    await verify(platform.registry, platform.number, WITHOUT_A_MOBILE, check_no="IC-mute")
    account = {"account_id": "A-mute", "account_no": card, "account_name": name, "is_corporate": False}
    await callers.insist(platform, f"/members/{WITHOUT_A_MOBILE}/bank-accounts", **account)
