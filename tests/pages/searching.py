"""A search for secrets in everything that a run leaves behind: rows, files, logs, histories and answers."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncpg
import httpx2
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from escrow.stack.up import Stack
from tests.story_ground import details_of

_TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
"""
#: The bank knows every secret: it makes codes and deposits, and opens accounts. It is not ours.
_THE_BANKS = ("bank", "bank_sandbox.log")


class Medium(StrEnum):
    """Where something can be left behind."""

    ROWS = "rows"
    LOGS = "logs"
    FILES = "files"
    HISTORIES = "histories"
    ANSWERS = "answers"


@dataclass(frozen=True, slots=True)
class Place:
    """One column with all its rows, one file, one workflow with all that the server tells of it, or one answer."""

    medium: Medium
    name: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """What must not be found, in every form in which it could stand somewhere.

    Short ones also stand by chance in raw files, so they are not sought there. `meant_for` are columns that are made
    to hold it or its digest.
    """

    what: str
    pattern: re.Pattern[bytes]
    media: frozenset[Medium] = frozenset(Medium) - {Medium.FILES}
    meant_for: frozenset[str] = frozenset()

    def found_in(self, places: Iterable[Place]) -> list[tuple[Medium, str]]:
        """Where it stands."""
        return [
            (place.medium, place.name)
            for place in places
            if place.medium in self.media and place.name not in self.meant_for and self.pattern.search(place.text)
        ]


def long_secret(what: str, text: str, *, media: Iterable[Medium] = Medium, meant_for: Iterable[str] = ()) -> Secret:
    """A password, token, name or number that does not stand anywhere by chance: sought in any surroundings."""
    pattern = re.compile(b"|".join(map(re.escape, forms_of(text))))
    return Secret(what, pattern, frozenset(media), frozenset(meant_for))


def code(what: str, text: str) -> Secret:
    """A few digits or letters: only whole words count, since they stand by chance in digests, fractions and amounts."""
    word = rb"(?<![0-9A-Za-z.])(?<!_fen: )(?<!_fen\": )(?<!_fen\":)" + re.escape(text.encode()) + rb"(?![0-9A-Za-z])"
    return Secret(what, re.compile(word + b"|" + hashlib.sha256(text.encode()).hexdigest().encode()))


def small_amount(what: str, amount_fen: int, *, books: Iterable[str] = ()) -> Secret:
    """An amount so small that it is any number: sought where something says that it is an amount.

    What follows the kind in a number of ours at the bank (`P1/V-2:micro_deposit:1`) counts attempts.
    """
    in_yuan = f"{amount_fen // 100}.{amount_fen % 100:02d}"
    named = rb"(?:amount|deposit)\w*(?<!:micro_deposit)\W{1,4}" + str(amount_fen).encode() + rb"(?![0-9])"
    shown = rb"(?<![0-9])" + re.escape(in_yuan.encode()) + " ?(?:yuan|元)".encode()
    return Secret(what, re.compile(named + b"|" + shown), meant_for=frozenset(books))


def forms_of(text: str) -> set[bytes]:
    """A text as it stands, as escaped JSON, as hexadecimal digits, as base64 in any place, and as a plain digest."""
    plain = text.encode()
    forms = {plain, json.dumps(text)[1:-1].encode(), plain.hex().encode(), plain.hex().upper().encode()}
    for offset, skipped in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * offset + plain)
        forms.add(encoded[skipped : (offset + len(plain)) * 8 // 6])
    return forms | {hashlib.sha256(plain).hexdigest().encode()}


async def everything(stack: Stack, answers: Iterable[httpx2.Response], *, platform_no: str = "") -> list[Place]:
    """All that the run left behind.

    Args:
        stack: where it ran.
        answers: what was answered to it.
        platform_no: on a stack that tests share, whose running workflows are asked for their details too: to answer,
            a worker plays the whole history.
    """
    places = [*_files(stack.folder)]
    async for place in _rows(stack):
        places.append(place)
    async for place in _histories(stack, platform_no):
        places.append(place)
    for answer in answers:
        text = f"{answer.headers.multi_items()}\n".encode() + answer.content
        places.append(Place(Medium.ANSWERS, f"{answer.request.method} {answer.request.url.path}", text))
    return places


def _files(folder: Path) -> Iterable[Place]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] not in _THE_BANKS:
            medium = Medium.LOGS if path.suffix == ".log" else Medium.FILES
            yield Place(medium, str(name), path.read_bytes())


async def _rows(stack: Stack) -> AsyncIterator[Place]:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        for schema, table in await connection.fetch(_TABLES):
            columns: dict[str, list[str]] = {}
            for (row,) in await connection.fetch(f'SELECT to_jsonb(t)::text FROM "{schema}"."{table}" t'):
                for column, value in json.loads(row).items():
                    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                    columns.setdefault(column, []).append(f"{column}: {shown}")
            for column, lines in columns.items():
                yield Place(Medium.ROWS, f"{table}.{column}", "\n".join(lines).encode())
    finally:
        await connection.close()


async def _histories(stack: Stack, platform_no: str) -> AsyncIterator[Place]:
    client = await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter)
    async for workflow in client.list_workflows():
        handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        # Payloads stand in it as they were sent: JSON, with memos, search attributes and summaries.
        parts = [event.SerializeToString() async for event in handle.fetch_history_events()]
        description = await handle.describe()
        parts.append(description.raw_description.SerializeToString())
        is_asked = platform_no in workflow.id and workflow.workflow_type != CANARY_WORKFLOW
        if is_asked and description.status is WorkflowExecutionStatus.RUNNING:
            parts.append((await details_of(handle)).encode())
        yield Place(Medium.HISTORIES, workflow.id, b"\n".join(parts))


# ---- canaries ----

#: Planted where the search must find them, in each form that is sought.
CANARY, CANARY_CODE, CANARY_FEN = "canary-planted-3f9c", "730195", 1_373
CANARY_WORKFLOW = "NobodyRunsThis"
CANARIES = [
    long_secret("canary", CANARY),
    code("canary's code", CANARY_CODE),
    small_amount("canary's amount", CANARY_FEN),
]
_TEXT = f'{{"note": "{CANARY}", "code": "{CANARY_CODE}", "amount_fen": {CANARY_FEN}}}'


async def plant_canaries(stack: Stack) -> None:
    """Plant canaries in each log, in a table of its own, and in every part of workflows that nobody runs."""
    for log in ("api.log", "worker-1.log"):
        with (stack.folder / log).open("a") as opened:
            opened.write(_TEXT + "\n")
    _planted_file(stack).write_text(_TEXT)
    await _execute(stack, "CREATE TABLE canary (told text, kept bytea, amount_fen bigint)")
    await _execute(stack, "INSERT INTO canary VALUES ($1, $2, $3)", CANARY_CODE, CANARY.encode(), CANARY_FEN)
    client = await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter)
    note = json.loads(_TEXT)
    queue = "nobody"
    await client.start_workflow(CANARY_WORKFLOW, note, id="canary-argument", task_queue=queue)
    await client.start_workflow(CANARY_WORKFLOW, id="canary-memo", memo={"note": note}, task_queue=queue)
    await client.start_workflow(CANARY_WORKFLOW, id="canary-summary", static_summary=_TEXT, task_queue=queue)
    signalled = await client.start_workflow(CANARY_WORKFLOW, id="canary-signal", task_queue=queue)
    await signalled.signal("told", note)


PLANTED_WORKFLOWS = ("canary-argument", "canary-memo", "canary-summary", "canary-signal")


async def uproot_canaries(stack: Stack) -> None:
    """Take away what would be in the way of other tests."""
    _planted_file(stack).unlink(missing_ok=True)
    await _execute(stack, "DROP TABLE IF EXISTS canary")
    client = await Client.connect(stack.temporal.address)
    for planted in PLANTED_WORKFLOWS:
        with suppress(RPCError):  # not planted, since the test ended before
            await client.get_workflow_handle(planted).terminate()


def _planted_file(stack: Stack) -> Path:
    return stack.folder / "temporal" / "canary"


async def _execute(stack: Stack, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()
