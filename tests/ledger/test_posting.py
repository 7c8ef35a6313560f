"""What one posting does, and that it does it once."""

import asyncio

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Change
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import CLOSED, DAY, booked_by_bank, matured, open_day, posting, top_up


async def balance(owner: asyncpg.Connection, member_no: str, purpose: str) -> int:
    found = await owner.fetchval(
        "SELECT sum(balance_fen)::bigint FROM account WHERE member_no = $1 AND purpose = $2", member_no, purpose
    )
    return int(found or 0)


async def test_a_transfer_the_bank_booked_is_credited_to_its_member(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    receipt = await top_up(owner, writer, "O-1", 18_600_000)
    assert receipt.accounting_day == DAY
    assert await balance(owner, "O-1", "withdrawable") == 18_600_000
    assert await balance(owner, "", "custody") == -18_600_000


async def test_the_same_request_gives_the_same_receipt_and_moves_nothing_more(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 500, pending_day=CLOSED)
    first = await writer.post(matured("O-1", 200, request_no="once"))
    again = await writer.post(matured("O-1", 200, request_no="once"))
    assert (again.entry_id, again.accounting_day, again.repeated) == (first.entry_id, DAY, True)
    assert await balance(owner, "O-1", "withdrawable") == 200


async def test_the_same_request_number_with_other_content_is_refused(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 500, pending_day=CLOSED)
    await writer.post(matured("O-1", 200, request_no="once"))
    with pytest.raises(Refused) as refusal:
        await writer.post(matured("O-1", 200, request_no="once", content={"other": True}))
    assert refusal.value.code == "request_no_reused"


async def test_in_one_batch_each_posting_gets_its_own_answer(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 500, pending_day=CLOSED)
    answers = await asyncio.gather(
        writer.post(matured("O-1", 300, request_no="a")),
        writer.post(matured("O-1", 300, request_no="b")),
        writer.post(matured("O-1", 300, request_no="a")),
        writer.post(matured("O-1", 200, request_no="c")),
        return_exceptions=True,
    )
    outcomes = [
        answer.code if isinstance(answer, Refused) else getattr(answer, "repeated", answer) for answer in answers
    ]
    assert outcomes == [False, "insufficient_balance", True, False]
    assert await balance(owner, "O-1", "withdrawable") == 500


async def test_changes_of_one_object_in_one_batch_get_consecutive_events(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    changes = [
        Change(
            kind="order", object_no="D-1", event_type=f"order.step{step}", status=f"s{step}", body={f"k{step}": step}
        )
        for step in range(5)
    ]
    await asyncio.gather(*(writer.post(posting(changes=(change,))) for change in changes))
    events = await owner.fetch("SELECT sequence_no, event_type FROM event ORDER BY sequence_no")
    assert [tuple(row) for row in events] == [(step + 1, f"order.step{step}") for step in range(5)]
    stored = await owner.fetchrow("SELECT sequence_no, status, body FROM business_object")
    assert stored is not None
    assert (stored["sequence_no"], stored["status"]) == (5, "s4")
    assert stored["body"] == '{"k0": 0, "k1": 1, "k2": 2, "k3": 3, "k4": 4}'


async def test_an_object_that_must_be_new_is_refused_when_it_exists(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    new = Change(kind="order", object_no="D-1", event_type="order.opened", status="open", must_be_new=True)
    await writer.post(posting(changes=(new,)))
    with pytest.raises(Refused) as refusal:
        await writer.post(posting(changes=(new,)))
    assert refusal.value.code == "object_exists"


async def test_a_posting_larger_than_64_bits_is_refused(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 2**63 - 1)
    with pytest.raises(Refused) as refusal:
        await top_up(owner, writer, "O-1", 1)
    assert refusal.value.code == "amount_out_of_range"
    assert await booked_by_bank(owner, 1)
