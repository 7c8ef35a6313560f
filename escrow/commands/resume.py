"""`escrow resume` and `escrow attention`: what makes no progress is taken up, and who waits for a person is shown."""

from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from temporalio.client import Client, RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import RawValue

from escrow.commands.books import opened_books
from escrow.commands.running import EXIT_FAILED, err, out, run
from escrow.domain.money.amounts import format_fen
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.attention import Waiting, waiting_for_a_person
from escrow.stack.payloads import unread_converter
from escrow.stack.processes import StackError
from escrow.stack.runs import run_that_holds
from escrow.stack.temporal_client import connect_temporal

#: Contract with the worker: the process that goes round with its type and task queue, and its update.
_ROUNDS, _OURS, _RESUME = "rounds", ("Rounds", "orders"), "resume"
_ANSWER = timedelta(seconds=90)
_PAGE = 200
_SILENT = (
    "The rounds did not answer. A worker begins them again within a minute when they were ended: see that one runs, "
    "and repeat the command."
)


class _TakenUp(BaseModel):
    """What the rounds answer: one sentence for each object, and after which one the next page begins."""

    said: list[str]
    after: tuple[str, str, str] | None


def resume(
    number: Annotated[str | None, typer.Argument(help="Number of an order or of whatever else.")] = None,
    all_unfinished: Annotated[bool, typer.Option("--all", help="Everything that has not ended.")] = False,
    platform: Annotated[str | None, typer.Option(help="One platform; all of them without it.")] = None,
) -> None:
    """Take up what makes no progress: start its process, tell it to look, or begin it anew; no money moves by that.

    What waits for a person is taken off that list. Says for each object what was done.
    """
    if (number is None) != all_unfinished:
        raise typer.BadParameter("say which number, or --all")
    if not run(_resume(number, platform)):
        err.print(f"Nothing has the number {number} that could be taken up.", style="red", markup=False)
        raise typer.Exit(EXIT_FAILED)


async def _resume(number: str | None, platform_no: str | None) -> bool:
    try:
        client = await connect_temporal(converter=unread_converter)
    except RuntimeError as error:  # the SDK has no class of its own for it
        raise StackError("Temporal does not answer where TEMPORAL_ADDRESS says.") from error
    after, found = None, False
    while True:
        answer = await _taken_up(client, {"platform_no": platform_no, "object_no": number, "after": after})
        for sentence in answer.said:
            out.print(sentence, markup=False)
        found, after = found or bool(answer.said), answer.after
        if after is None:
            break
    if number is None and not found:
        out.print("nothing is unfinished")
    return found or number is None


async def _taken_up(client: Client, request: dict[str, Any]) -> _TakenUp:
    """What the rounds answer, when it is they who hold their id, and when it is an answer."""
    try:
        holder = await run_that_holds(client, _ROUNDS, answer=_ANSWER)
        if holder is None or (holder.workflow, holder.task_queue) != _OURS:
            raise StackError(_SILENT)
        rounds = client.get_workflow_handle(_ROUNDS, run_id=holder.run_id)
        answer: RawValue | None = await rounds.execute_update(_RESUME, request, rpc_timeout=_ANSWER)
        return _TakenUp.model_validate_json(b"" if answer is None else answer.payload.data)
    except (
        RPCError,
        ValidationError,
        WorkflowUpdateFailedError,
        WorkflowUpdateRPCTimeoutOrCancelledError,
    ) as error:
        raise StackError(_SILENT) from error


def attention(
    platform: Annotated[str | None, typer.Option(help="One platform; all of them without it.")] = None,
) -> None:
    """List what waits for a person: of which kind, under which number, why, since when, with how much money."""
    run(_attention(platform))


async def _attention(platform_no: str | None) -> None:
    found: list[Waiting] = []
    async with opened_books() as books:
        while True:
            page = await waiting_for_a_person(
                books.recorder, platform_no, after=found[-1].key if found else None, limit=_PAGE
            )
            found += page
            if len(page) < _PAGE:
                break
    for item in found:
        key, since = item.key, item.since.astimezone(SHANGHAI)
        money = f"{format_fen(item.held_fen)} yuan ({item.held_fen} fen)"
        out.print(
            f"{key.platform_no}  {key.kind}  {key.object_no}  since {since:%Y-%m-%d %H:%M}  {money}  {item.reason}",
            markup=False,
        )
    if not found:
        out.print("nothing waits for a person")
