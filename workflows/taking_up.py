"""How the process of an object is started from the books alone, by whoever finds that it does not run."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from temporalio.common import TypedSearchAttributes

from activities.taking_up import Startable
from workflows.messages import ORDERS_TASK_QUEUE, PAYMENTS_TASK_QUEUE, PROCESSES, BankWatchInput, bank_watch_workflow_id
from workflows.rounds import ROUNDS, ROUNDS_WORKFLOW_ID, RoundsInput
from workflows.search_attributes import of_member, of_members_money, of_order
from workflows.timeouts import WORKFLOW_TASK


def _of_order(platform_no: str, body: Mapping[str, Any]) -> TypedSearchAttributes:
    contract = body["contract"]
    return of_order(
        platform_no=platform_no,
        owner_no=contract["owner_no"],
        contractor_no=contract["contractor_no"],
        amount_fen=contract["total_fen"],
    )


def _of_withdrawal(platform_no: str, body: Mapping[str, Any]) -> TypedSearchAttributes:
    return of_members_money(platform_no=platform_no, member_no=body["member_no"], amount_fen=body["principal_fen"])


#: What operators filter by, from an object's document; of any other kind it is the platform alone.
_ATTRIBUTES: Mapping[str, Callable[[str, Mapping[str, Any]], TypedSearchAttributes]] = {
    "order": _of_order,
    "withdrawal": _of_withdrawal,
}


def process_of(kind: str, platform_no: str, object_no: str, *, body: Mapping[str, Any]) -> Startable | None:
    """The process that looks after an object, None for a kind that has none.

    Args:
        body: the object's document, empty where it does not stand in the books yet.
    """
    process = PROCESSES.get(kind)
    if process is None:
        return None
    attributes = _ATTRIBUTES.get(kind)
    return Startable(
        workflow=process.workflow,
        task_queue=process.task_queue,
        workflow_id=process.workflow_id(platform_no, object_no),
        reference=process.reference(platform_no, object_no),
        summary=f"{kind} {object_no}",
        task_timeout=WORKFLOW_TASK,
        attributes=attributes(platform_no, body) if attributes and body else of_member(platform_no=platform_no),
    )


def the_rounds(*, every: timedelta) -> Startable:
    """The one process that goes round, so often; one that goes round otherwise is another."""
    return Startable(
        workflow=ROUNDS,
        task_queue=ORDERS_TASK_QUEUE,
        workflow_id=ROUNDS_WORKFLOW_ID,
        reference=RoundsInput(every=every),
        summary="what is late is taken up",
        task_timeout=WORKFLOW_TASK,
        runs_own=frozenset(),
    )


def watch_of(platform_no: str) -> Startable:
    """The watch over a platform's custody account; one that looks less often is another."""
    return Startable(
        workflow="BankWatch",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=bank_watch_workflow_id(platform_no),
        reference=BankWatchInput(platform_no=platform_no),
        summary=f"custody account of {platform_no}",
        task_timeout=WORKFLOW_TASK,
        runs_own=frozenset(),
    )
