"""Objects in states that wait, what is done to the runs of their processes, and how each object ends all the same."""

import ast
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import worker
from escrow.domain.endings import FINAL_STATUSES
from escrow.ledger.objects import BusinessObject, get_object
from tests.waiting import until
from tests.workflows.breaking import BREAKS, Break, runs_as
from tests.workflows.house_of_rounds import House
from workflows.messages import PROCESSES

Prepare = Callable[[House, str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """An object in a state that waits, and what becomes of it when ninety days pass.

    Args:
        prepared: brings the object there that belongs to this number.
        object_no: its own number.
        waits_in: the status in which it waits; None where it does not stand in the books yet.
        stage: the status in which its second milestone waits, of an order.
        ends: what its document must say at last, beside its status.
        faults: what is done to its run.
        said: what is said once its run is broken.
        done: what is done for it once its process runs again.
        texts: how many text messages it has caused at last.
        asks_anew: whether it may take another number for one that its bank never got, which takes its bank as long.
    """

    kind: str
    prepared: Prepare
    status: str
    object_no: Callable[[str], str] = str
    waits_in: str | None = None
    stage: str | None = None
    ends: Callable[[Mapping[str, Any]], bool] = lambda body: True
    faults: Mapping[str, Break] = field(default_factory=lambda: BREAKS)
    said: Prepare | None = None
    done: Prepare | None = None
    texts: int = 0
    asks_anew: bool = False


@dataclass(frozen=True)
class Cell:
    """One row under one fault."""

    name: str
    row: Row
    fault: str
    number: str

    @property
    def object_no(self) -> str:
        """Number of its object."""
        return self.row.object_no(self.number)

    async def prepared(self, house: House) -> None:
        """Its object waits."""
        await self.row.prepared(house, self.number)
        if self.row.waits_in is not None:
            await until(lambda: self._waits(house), f"{self.object_no} ({self.name}) is {self.row.waits_in}")

    async def broken(self, house: House) -> None:
        """The run of its process is broken, and what is to be said then is said."""
        workflow_id = PROCESSES[self.row.kind].workflow_id(house.platform.number, self.object_no)
        await self.row.faults[self.fault](house.client, workflow_id)
        if self.row.said is not None:
            await self.row.said(house, self.number)

    async def runs(self, house: House) -> None:
        """Its process runs again, or it has come to its end."""
        process = PROCESSES[self.row.kind]
        workflow_id = process.workflow_id(house.platform.number, self.object_no)

        async def runs() -> bool:
            found = await self.found(house)
            has_ended = found is not None and found.status in FINAL_STATUSES.get(self.row.kind, found.status)
            if has_ended:
                return True
            reference = process.reference(house.platform.number, self.object_no)
            return await runs_as(house.client, workflow_id, process.workflow, process.task_queue, reference)

        await until(runs, f"{workflow_id} ({self.name}, {self.fault}) runs again, or has come to its end")

    async def what_is_wrong(self, house: House) -> str:
        """How it stands where it does not stand as it should at last; empty where it does."""
        found = await self.found(house)
        if found is None:
            return "not in the books"
        is_right = found.status == self.row.status and self.row.ends(found.body)
        return "" if is_right else f"{found.status}: {found.body}"

    async def found(self, house: House) -> BusinessObject | None:
        """Its object in the books."""
        return await get_object(house.books.recorder, house.platform.number, self.row.kind, self.object_no)

    async def _waits(self, house: House) -> bool:
        found = await self.found(house)
        if found is None or found.status != self.row.waits_in:
            return False
        return self.row.stage is None or found.body["milestones"][1]["status"] == self.row.stage


def cells_of(rows: Mapping[str, Row]) -> list[Cell]:
    """All rows under all their faults, each with an object of its own."""
    found: list[tuple[str, Row, str]] = [(name, row, fault) for name, row in rows.items() for fault in row.faults]
    return [Cell(*item, number=f"X-{number}") for number, item in enumerate(found, start=1)]


def printed(table: list[Cell], wrong: Mapping[Cell, str]) -> str:
    """What became of each cell, for people."""
    return "\n".join(f"{cell.name:44} {cell.fault:40} {wrong.get(cell, 'right')}" for cell in table)


async def nothing(client: object, workflow_id: str) -> None:
    """It was never begun."""


def types_of_the_worker() -> set[str]:
    """Types of the workflows that worker.py registers."""
    assert worker.__file__ is not None
    lists = [
        keyword.value
        for node in ast.walk(ast.parse(Path(worker.__file__).read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "workflows"
    ]
    names = [
        item.id for each in lists if isinstance(each, ast.List) for item in each.elts if isinstance(item, ast.Name)
    ]
    return {getattr(getattr(worker, name), "__temporal_workflow_definition").name for name in names}
