"""Why money may move: every basis is checked in the posting's own transaction and used up by it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, DeadlineChange, JournalEntry, Posting, Receipt
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.consents import NewConsent, get_consent, record_consent, store_outcome, void_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import DAY, HOME, NOON, booked_by_bank, fresh, matured, open_day, posting, top_up


def freeze(order_no: str, amount_fen: int) -> JournalEntry:
    legs = [FundingLeg(source="withdrawable", amount_fen=amount_fen)]
    return recipes.order_frozen(platform_no=HOME, owner_no="O-1", order_no=order_no, legs=legs)


def release(order_no: str, amount_fen: int) -> JournalEntry:
    return recipes.escrow_released(
        recipe="milestone_released",
        platform_no=HOME,
        owner_no="O-1",
        order_no=order_no,
        payee_no="C-1",
        gross_fen=amount_fen,
        commission_fen=amount_fen // 20,
    )


def consent(order_no: str, **changes: object) -> NewConsent:
    fields: dict[str, object] = {
        "platform_no": HOME,
        "consent_no": fresh("consent"),
        "object_kind": "order",
        "object_no": order_no,
        "operation": "pay",
        "given_by": "O-1",
        "terms": {"amount_fen": 1000},
        "valid_for": timedelta(days=1),
        **changes,
    }
    return NewConsent(**fields)  # type: ignore[arg-type]  # each test changes one field by name


def on_consent(given: NewConsent, order_no: str, amount_fen: int = 1000, operation_hash: str = "") -> Posting:
    basis = Basis(kind="consent", reference=given.consent_no, operation_hash=operation_hash or given.operation_hash)
    return posting(entry=freeze(order_no, amount_fen), bases=(basis,))


async def refusal_code(posting: Awaitable[object]) -> str:
    with pytest.raises(Refused) as refusal:
        await posting
    return refusal.value.code


async def test_a_consent_moves_money_once(owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    given = consent("D-1")
    _, is_new = await record_consent(recorder, given)
    assert is_new
    receipt = await writer.post(on_consent(given, "D-1"))
    assert receipt.entry_id is not None
    assert await refusal_code(writer.post(on_consent(given, "D-1"))) == "basis_used"
    stored = await get_consent(recorder, HOME, given.consent_no)
    assert stored is not None
    assert stored.used_by == receipt.request_no


Spoil = Callable[[Recorder, NewConsent], Awaitable[NewConsent]]


async def _nothing_recorded(recorder: Recorder, given: NewConsent) -> NewConsent:
    return given


async def _voided(recorder: Recorder, given: NewConsent) -> NewConsent:
    await record_consent(recorder, given)
    assert await void_consent(recorder, HOME, given.consent_no, outcome={"refused": "order_state"})
    return given


async def _expired(recorder: Recorder, given: NewConsent) -> NewConsent:
    old = consent(given.object_no, valid_for=-timedelta(seconds=1))
    await record_consent(recorder, old)
    return old


async def _for_another_amount(recorder: Recorder, given: NewConsent) -> NewConsent:
    other = consent(given.object_no, consent_no=given.consent_no, terms={"amount_fen": 999})
    await record_consent(recorder, other)
    return given


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_nothing_recorded, "basis_missing"),
        (_voided, "basis_void"),
        (_expired, "basis_expired"),
        (_for_another_amount, "basis_mismatch"),
    ],
)
async def test_a_consent_that_does_not_hold_moves_nothing(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder, spoil: Spoil, code: str
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    given = await spoil(recorder, consent("D-1"))
    assert await refusal_code(writer.post(on_consent(given, "D-1"))) == code
    assert await owner.fetchval("SELECT count(*) FROM account WHERE purpose = 'escrow'") == 0


async def test_a_consent_is_recorded_once_and_its_number_never_reused(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    given = consent("D-1")
    first, _ = await record_consent(recorder, given)
    again, is_new = await record_consent(recorder, given)
    assert (again, is_new) == (first, False)
    assert (
        await refusal_code(record_consent(recorder, consent("D-2", consent_no=given.consent_no))) == "request_no_reused"
    )
    await store_outcome(recorder, HOME, given.consent_no, {"status": "paid"})
    await store_outcome(recorder, HOME, given.consent_no, {"status": "later"})
    stored = await get_consent(recorder, HOME, given.consent_no)
    assert stored is not None
    assert stored.outcome == {"status": "paid"}


async def test_a_used_consent_cannot_be_voided(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    given = consent("D-1")
    await record_consent(recorder, given)
    await writer.post(on_consent(given, "D-1"))
    assert not await void_consent(recorder, HOME, given.consent_no)
    assert await refusal_code(void_consent(recorder, HOME, "none")) == "not_found"


async def test_an_entry_without_a_basis_is_refused(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    assert await refusal_code(writer.post(posting(entry=freeze("D-1", 1000)))) == "basis_missing"


async def test_a_recipe_stands_only_on_the_kinds_of_basis_it_allows(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    free = posting(entry=freeze("D-1", 1000), bases=(Basis(kind="none"),))
    assert await refusal_code(writer.post(free)) == "basis_mismatch"


async def test_silence_releases_only_past_its_deadline_and_once(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    given = consent("D-1")
    await record_consent(recorder, given)
    await writer.post(on_consent(given, "D-1"))
    silence = Basis(kind="deadline", reference="order/D-1/M2:inspection:1")
    assert await refusal_code(writer.post(posting(entry=release("D-1", 100), bases=(silence,)))) == "basis_missing"
    due = await books_now(recorder, HOME) + timedelta(days=7)
    armed = DeadlineChange(object_kind="order", object_no="D-1", name="M2:inspection:1", due_at=due)
    await writer.post(posting(deadlines=(armed,)))
    await move_story(recorder, HOME, due - timedelta(minutes=1))
    early = posting(entry=release("D-1", 100), bases=(silence,), occurred_at=due)
    assert await refusal_code(writer.post(early)) == "basis_not_due"
    await move_story(recorder, HOME, due)
    disarmed = DeadlineChange(object_kind="order", object_no="D-1", name="M2:inspection:1", due_at=None)
    await writer.post(posting(entry=release("D-1", 100), bases=(silence,), deadlines=(disarmed,)))
    again = posting(entry=release("D-1", 100), bases=(silence,))
    assert await refusal_code(writer.post(again)) == "basis_used"


async def test_a_disarmed_deadline_allows_nothing(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    for due_at in (NOON, None):
        change = DeadlineChange(object_kind="order", object_no="D-1", name="n", due_at=due_at)
        await writer.post(posting(deadlines=(change,)))
    late = posting(bases=(Basis(kind="deadline", reference="order/D-1/n"),), occurred_at=NOON + timedelta(days=1))
    assert await refusal_code(writer.post(late)) == "basis_missing"


async def test_of_two_postings_at_once_the_second_sees_the_deadline_that_the_first_removed(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    armed, removed = (
        DeadlineChange(object_kind="order", object_no="D-1", name="n", due_at=due_at) for due_at in (NOON, None)
    )
    await writer.post(posting(deadlines=(armed,)))
    silent = posting(bases=(Basis(kind="deadline", reference="order/D-1/n"),), occurred_at=NOON + timedelta(days=1))
    accepted, silence = await asyncio.gather(
        writer.post(posting(deadlines=(removed,))), writer.post(silent), return_exceptions=True
    )
    assert isinstance(accepted, Receipt)
    assert isinstance(silence, Refused)
    assert silence.code == "basis_missing"


def credit(serial_no: str, amount_fen: int) -> Posting:
    entry = recipes.top_up_credited(
        platform_no=HOME, member_no="O-1", amount_fen=amount_fen, bank_serial_no=serial_no, effective_date=DAY
    )
    return posting(entry=entry, bases=(Basis(kind="bank_line", reference=serial_no),))


async def test_a_bank_line_is_posted_once_and_with_its_own_amount(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await open_day(owner)
    serial_no = await booked_by_bank(owner, 1000)
    assert await refusal_code(writer.post(credit("unknown", 1000))) == "basis_missing"
    assert await refusal_code(writer.post(credit(serial_no, 1001))) == "basis_mismatch"
    receipt = await writer.post(credit(serial_no, 1000))
    assert await owner.fetchval("SELECT entry_id FROM bank_line") == receipt.entry_id
    assert await refusal_code(writer.post(credit(serial_no, 1000))) == "bank_line_already_posted"


async def test_a_bank_line_cannot_carry_the_money_of_another(owner: asyncpg.Connection, writer: LedgerWriter) -> None:
    await open_day(owner)
    one, other = await booked_by_bank(owner, 1000), await booked_by_bank(owner, 1000)
    entry = recipes.own_credited(platform_no=HOME, amount_fen=1000, bank_serial_no=one, effective_date=DAY)
    crossed = posting(entry=entry, bases=(Basis(kind="bank_line", reference=other),))
    assert await refusal_code(writer.post(crossed)) == "basis_mismatch"


def withdrawal(amount_fen: int, released_by: str, member_no: str = "C-1") -> Posting:
    entry = recipes.withdrawal_requested(
        platform_no=HOME, member_no=member_no, withdrawal_no=fresh("W"), amount_fen=amount_fen
    )
    return posting(entry=entry, bases=(Basis(kind="release", reference=released_by),))


async def test_a_release_lets_its_payee_withdraw_up_to_it_once(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 5000)
    await top_up(owner, writer, "C-1", 5000)
    given, accepted = consent("D-1"), consent("D-1", operation="accept")
    await record_consent(recorder, given)
    await record_consent(recorder, accepted)
    await writer.post(on_consent(given, "D-1"))
    basis = Basis(kind="consent", reference=accepted.consent_no, operation_hash=accepted.operation_hash)
    released = (await writer.post(posting(entry=release("D-1", 1000), bases=(basis,)))).request_no
    assert await refusal_code(writer.post(withdrawal(951, released))) == "basis_mismatch"
    assert await refusal_code(writer.post(withdrawal(100, released, member_no="O-1"))) == "basis_mismatch"
    assert await refusal_code(writer.post(withdrawal(100, "no such request"))) == "basis_missing"
    await writer.post(withdrawal(950, released))
    assert await refusal_code(writer.post(withdrawal(1, released))) == "basis_used"


async def test_a_refused_posting_leaves_its_basis_and_its_number_unused(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    given = consent("D-1")
    await record_consent(recorder, given)
    asked = on_consent(given, "D-1")
    assert await refusal_code(writer.post(asked)) == "insufficient_balance"
    await top_up(owner, writer, "O-1", 1000)
    assert not (await writer.post(asked)).repeated


async def test_an_unknown_platform_and_an_unknown_recipe_are_refused(
    owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    assert await refusal_code(writer.post(matured("O-1", 1))) == "platform_unknown"
    await open_day(owner)
    lines = matured("O-1", 1).entry
    assert lines is not None
    unknown = JournalEntry(recipe="gift", lines=lines.lines)
    assert await refusal_code(writer.post(posting(entry=unknown, bases=(Basis(kind="none"),)))) == "recipe_unknown"
