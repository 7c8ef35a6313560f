"""The documentation pages of the states, written from the transition tables so that they cannot differ from them."""

from collections.abc import Iterable, Mapping
from typing import Any

from escrow.domain.collections import states as collection_states
from escrow.domain.collections.batch_payments import BatchStatus
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.collections.mandates import MandateStatus
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.members.states import TRANSITIONS as MEMBER_TRANSITIONS
from escrow.domain.members.states import MemberStatus
from escrow.domain.members.transitions import (
    CHECK_TRANSITIONS,
    MANDATE_TRANSITIONS,
    VERIFICATION_TRANSITIONS,
    CheckStatus,
)
from escrow.domain.members.verification_rules import VerificationStatus
from escrow.domain.orders import states as order_states
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.states import Effect, MilestoneStatus, OrderStatus, Transition, When
from escrow.domain.withdrawals import states as withdrawal_states

_HEAD = """# States of an order, of its milestones, and of a withdrawal

Generated from the transition tables `escrow/domain/orders/states.py` and `escrow/domain/withdrawals/states.py`;
a test compares. Whatever is not in a table is refused.
"""


_COLLECTIONS_HEAD = """# States of what is collected, of a batch, and of a refund

Generated from the transition tables `escrow/domain/collections/states.py`; a test compares. Whatever is not in a table
is refused. Top-ups, direct payments and merged collections share the first one: they differ in what their money does.
A batch that is paid from the balance is entered as paid.
"""


_MEMBERS_HEAD = """# States of a member, and of what looks after it

Generated from the transition tables `escrow/domain/members/states.py` and `escrow/domain/members/transitions.py`; a
test compares. Whatever is not in a table is refused. A check and a closing are parts of their member: what a check is
told and how a closing ends changes the member by the same posting. A closing that is broken off leads back to the state
in which it began.

Each of them is unfinished while a deadline of it stands in the books:

| what | deadline | until |
|---|---|---|
| identity check | `answer` | the registry has answered, or has been silent for a day |
| verification | `send` | something was sent; ten minutes later it has failed |
| | `confirm` | what was sent last is confirmed, or its time is over |
| mandate | `bank_told` | the bank knows that it was signed, or that it has ended |
| | `last_day` | it has ended |
| closing | `close` | the member's last payout can no longer come back |
"""


def render_markdown() -> str:
    """Text of `docs/order-states.md`."""
    rows = order_states.TRANSITIONS
    order_arrows = [(row.status, row.to_status, row.trigger.value) for row in rows if row.status is not row.to_status]
    withdrawal_arrows = [(at, to, event.value) for (at, event), to in withdrawal_states.TRANSITIONS.items() if at != to]
    return "\n".join(
        [
            _HEAD,
            "## Order\n",
            _diagram(order_arrows, start=OrderStatus.AWAITING_PAYMENT),
            "## Milestone\n",
            _diagram(_milestone_arrows(), start=MilestoneStatus.PLANNED),
            "## Table\n",
            "| order | milestone | trigger | given by | if | order becomes | milestone becomes | effect |",
            "|---|---|---|---|---|---|---|---|",
            *(_line(row) for row in rows),
            "",
            "## Withdrawal\n",
            _diagram(withdrawal_arrows, start=withdrawal_states.WithdrawalStatus.REQUESTED),
            "| status | event | becomes |",
            "|---|---|---|",
            *(f"| {at} | {event} | {to} |" for (at, event), to in withdrawal_states.TRANSITIONS.items()),
            "",
        ]
    )


def render_collections() -> str:
    """Text of `docs/collection-states.md`."""
    tables: list[tuple[str, str, Mapping[tuple[Any, Any], Any]]] = [
        ("What is collected", CollectionStatus.OPENED, collection_states.COLLECTION_TRANSITIONS),
        ("Batch payment", BatchStatus.AWAITING_PAYMENT, collection_states.BATCH_TRANSITIONS),
        ("Refund of an order", DirectRefundStatus.UNDER_WAY, collection_states.REFUND_TRANSITIONS),
    ]
    return _page(_COLLECTIONS_HEAD, tables)


def render_members() -> str:
    """Text of `docs/member-states.md`."""
    return _page(
        _MEMBERS_HEAD,
        [
            ("Member", MemberStatus.OPEN, MEMBER_TRANSITIONS),
            ("Identity check", CheckStatus.ASKED, CHECK_TRANSITIONS),
            ("Verification of a bank account", VerificationStatus.ASKED, VERIFICATION_TRANSITIONS),
            ("Mandate", MandateStatus.SIGNED, MANDATE_TRANSITIONS),
        ],
    )


def _page(head: str, tables: Iterable[tuple[str, str, Mapping[tuple[Any, Any], Any]]]) -> str:
    parts = [head]
    for title, start, table in tables:
        parts += [
            f"## {title}\n",
            _diagram([(at, to, event.value) for (at, event), to in table.items() if at != to], start=start),
            "| status | event | becomes |",
            "|---|---|---|",
            *(f"| {at} | {event} | {to} |" for (at, event), to in table.items()),
            "",
        ]
    return "\n".join(parts)


def _milestone_arrows() -> list[tuple[str, str, str]]:
    """Every change of a milestone that the table can bring about, found by walking through a whole plan."""
    kinds = (MilestoneKind.START, MilestoneKind.ACCEPTANCE, MilestoneKind.ACCEPTANCE, MilestoneKind.WARRANTY)
    waiting = [(OrderStatus.AWAITING_PAYMENT, (MilestoneStatus.PLANNED,) * len(kinds))]
    seen = set(waiting)
    arrows: list[tuple[str, str, str]] = []
    while waiting:
        status, before = waiting.pop(0)
        for row in order_states.TRANSITIONS:
            numbers = [no for no, milestone in enumerate(before, start=1) if milestone is row.milestone]
            for no in (numbers if row.milestone else [None]) if row.status is status else []:
                after = order_states.next_state(
                    status, before, kinds, row.trigger, no, other_side_proposed=row.when is When.BOTH_SIDES
                )
                arrows += [
                    (was, now, row.trigger) for was, now in zip(before, after.milestones, strict=True) if was is not now
                ]
                if (after.status, after.milestones) not in seen:
                    seen.add((after.status, after.milestones))
                    waiting.append((after.status, after.milestones))
    return arrows


def _diagram(arrows: Iterable[tuple[str, str, str]], *, start: str) -> str:
    labels: dict[tuple[str, str], list[str]] = {}
    for at, to, label in arrows:
        known = labels.setdefault((at, to), [])
        if label not in known:
            known.append(label)
    lines = [f"    {at} --> {to}: {' / '.join(known)}" for (at, to), known in labels.items()]
    leaving = {at for at, _ in labels}
    final = dict.fromkeys(to for _, to in labels if to not in leaving)
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            f"    [*] --> {start}",
            *lines,
            *(f"    {to} --> [*]" for to in final),
            "```\n",
        ]
    )


def _line(row: Transition) -> str:
    cells = (
        row.status,
        row.milestone or "",
        row.trigger,
        " or ".join(row.by) or "time",
        "" if row.when is When.ALWAYS else row.when,
        row.to_status,
        row.to_milestone or "",
        row.effect if row.effect is not Effect.NOTHING else "",
    )
    return f"| {' | '.join(cells)} |"
