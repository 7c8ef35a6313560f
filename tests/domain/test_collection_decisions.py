"""What is collected, as the books decide it: credited once, given back once, and an operator called in the end."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from escrow.domain.collections.collection import Collection
from escrow.domain.collections.commands import (
    BeginAsking,
    BookPayment,
    CallOperator,
    ChannelShows,
    End,
    EndReturn,
    HoldReturn,
    Open,
    OperatorCame,
    PayerHasActed,
    TakenByPaid,
)
from escrow.domain.collections.direct_payments import DirectPaid, DirectRefundStatus
from escrow.domain.collections.methods import ChannelPayment, CollectionMethod
from escrow.domain.collections.opening import UnopenedCollection
from escrow.domain.collections.refund import (
    BeginRefund,
    CallOperatorToRefund,
    EndRefund,
    OwnerTold,
    Refund,
    RefundState,
)
from escrow.domain.collections.states import COLLECTION_TRANSITIONS
from escrow.domain.collections.terms import (
    TOP_UP,
    CollectionStatus,
    collecting_terms,
    collection_terms,
    opening_consent_no,
)
from escrow.domain.decisions import Decision, Facts, GivenConsent, MemberFact, NotDue, Stored
from escrow.domain.errors import Refused
from escrow.domain.money.journal import JournalEntry
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.state_diagrams import render_collections

AT = datetime(2026, 3, 3, 2, tzinfo=UTC)
DAY = date(2026, 3, 3)
QR, DEBIT = CollectionMethod.QR_WECHAT, CollectionMethod.DIRECT_DEBIT
PAGE = Path(__file__).parents[2] / "docs" / "collection-states.md"


def facts(**more: Any) -> Facts:
    """What a decision knows; a member that may do everything, unless it says otherwise."""
    members = {"O-1": MemberFact(status="verified", version=3)}
    usual: dict[str, Any] = {"members": members, "config": PlatformConfig(), "config_version": 1}
    return Facts(accounting_day=DAY, **{**usual, **more})


def opened(method: CollectionMethod = QR, amount_fen: int = 10_000, *, mandate_no: str = "") -> Collection:
    """A top-up that was asked for and is opened."""
    how = collection_terms(method=method.value, amount_fen=amount_fen, mandate_no=mandate_no)
    consent = GivenConsent(
        consent_no=opening_consent_no("T-1"),
        object_kind="pay_in",
        object_no="T-1",
        operation=TOP_UP,
        given_by="O-1",
        terms=collecting_terms(how, subject="x", expires_in_minutes=30),
        operation_hash="hash",
        method="platform_key",
        recorded_at=AT,
        note="",
    )
    unopened = UnopenedCollection(platform_no="HOME", pay_in_no="T-1")
    collection, _ = unopened.decide(Open(said_as=consent.consent_no), at=AT, facts=facts(consent=consent))
    return as_stored(collection)


def as_stored(collection: Collection) -> Collection:
    """The same, read from the books again."""
    stored = Stored(
        platform_no="HOME",
        object_no="T-1",
        version=collection.version,
        status=collection.status,
        body=collection.document(),
    )
    again = Collection.of_document(stored)
    assert again.state == collection.state
    return again


def after(collection: Collection, *commands: Any, at: datetime = AT, **more: Any) -> Collection:
    """The collection after some commands."""
    for command in commands:
        collection = as_stored(collection.decide(command, at=at, facts=facts(**more))[0])
    return collection


def shown(method: CollectionMethod = QR) -> Collection:
    """A top-up whose payer was shown what to do."""
    asking = (BeginAsking(number=1, debit_channel="X"),) if method is DEBIT else ()
    return after(
        opened(method, mandate_no="M-1" if method is DEBIT else ""),
        *asking,
        ChannelShows(number=1, interaction={"kind": "qr"}),
    )


def took(amount_fen: int = 10_000, number: int = 1, **more: Any) -> ChannelPayment:
    """A payment of a channel."""
    return ChannelPayment(
        payment_no=f"P-{number}", amount_fen=amount_fen, fee_fen=38, paid_at=AT, settles_on=date(2026, 3, 4), **more
    )


def booking(payment: ChannelPayment, **more: Any) -> BookPayment:
    """What books it."""
    return BookPayment(collection_no="T-1:collect:1", payment=payment, **more)


def moved(decision: Decision) -> dict[str, int]:
    """What an entry moves, by account."""
    entry = decision.entry
    assert isinstance(entry, JournalEntry)
    return {str(line.account): line.amount_fen for line in entry.lines}


def test_the_page_of_the_states_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_collections()


def test_every_status_is_in_the_table_and_only_a_payment_leads_out_of_an_end() -> None:
    assert {status for status, _ in COLLECTION_TRANSITIONS} | set(COLLECTION_TRANSITIONS.values()) == set(
        CollectionStatus
    )
    ends = {CollectionStatus.CLOSED, CollectionStatus.FAILED}
    assert {to for (status, _), to in COLLECTION_TRANSITIONS.items() if status in ends} == {CollectionStatus.PAID}


def test_a_payment_is_credited_as_asked_and_its_excess_waits() -> None:
    collection, decision = shown().decide(booking(took(10_050)), at=AT, facts=facts())

    assert moved(decision) == {
        "channel_due:qr_wechat": -10_050, "O-1/pending:2026-03-04": 10_000, "suspense:P-1": 50,
    }  # fmt: skip
    assert (collection.status, decision.event_type) == ("paid", "pay_in.paid")
    assert [change.object_no for change in decision.follows] == ["P-1"]
    assert decision.follows[0].body["collected_for"] == "O-1"


@pytest.mark.parametrize("late", [(), (End(how="closed", reason="not paid in time"),)])
def test_a_second_payment_and_a_short_one_wait_in_suspense(late: tuple[End, ...]) -> None:
    collection = after(shown(), *late, booking(took(9_999)))
    assert collection.state.payments[0].outcome == "suspended"

    collection = after(collection, booking(took(number=2)))
    _, decision = collection.decide(booking(took(number=3)), at=AT, facts=facts())

    assert collection.status == "paid"
    assert moved(decision) == {"channel_due:qr_wechat": -10_000, "suspense:P-3": 10_000}


def test_a_payment_is_booked_once() -> None:
    with pytest.raises(Refused, match="booked before"):
        after(shown(), booking(took()), booking(took()))


def test_who_may_not_receive_is_not_credited() -> None:
    closing = {"O-1": MemberFact(status="closing", version=4)}
    collection = after(shown(), booking(took()), members=closing)
    assert (collection.status, collection.state.payments[0].suspended_fen) == ("awaiting_payer", 10_000)


def test_what_pays_an_order_is_credited_to_nobody() -> None:
    collection = shown()
    assert after(collection, TakenByPaid(collection_no="T-1:collect:1", payment=took(), left_fen=0)).status == "paid"


def test_a_return_is_held_first_and_a_channel_that_gave_back_another_amount_is_not_believed() -> None:
    collection = after(shown(), booking(took()), booking(took(number=2)))
    held = after(collection, HoldReturn(number=1, payment_no="P-2"), suspended_fen={"P-2": 10_000})

    with pytest.raises(Refused, match="payment_differs"):
        after(held, EndReturn(number=1, refunded_fen=9_999))
    with pytest.raises(Refused):
        after(held, HoldReturn(number=2, payment_no="P-2"), suspended_fen={"P-2": 10_000})
    ended = after(held, EndReturn(number=1, refunded_fen=10_000))
    assert [(item.outcome, item.suspended_fen) for item in ended.state.payments] == [("credited", 0), ("returned", 0)]
    with pytest.raises(Refused):
        after(ended, EndReturn(number=1, refunded_fen=10_000))


def test_what_was_assigned_meanwhile_or_is_not_given_back_stays_in_suspense() -> None:
    collection = after(shown(), booking(took()), booking(took(number=2)), booking(took(number=3)))

    assigned = after(collection, HoldReturn(number=1, payment_no="P-2"), suspended_fen={"P-2": 0})
    assert assigned.state.payments[1].stays
    assert assigned.state.returns == ()

    failed = after(
        assigned,
        HoldReturn(number=1, payment_no="P-3"),
        EndReturn(number=1, refunded_fen=None, reason="too late"),
        suspended_fen={"P-3": 10_000},
    )
    assert (failed.state.payments[2].suspended_fen, failed.state.to_give_back) == (10_000, None)


def test_a_return_that_never_arrived_is_held_anew_but_not_for_ever() -> None:
    waits = {"P-2": 10_000}
    collection = after(shown(), booking(took()), booking(took(number=2)))
    lost = after(
        collection,
        HoldReturn(number=1, payment_no="P-2"),
        EndReturn(number=1, refunded_fen=None, is_lost=True),
        suspended_fen=waits,
    )
    assert lost.state.to_give_back == collection.state.to_give_back
    with pytest.raises(Refused, match="No return 1"):
        after(lost, EndReturn(number=1, refunded_fen=10_000))

    again = after(lost, HoldReturn(number=2, payment_no="P-2"), suspended_fen=waits)
    assert after(again, EndReturn(number=2, refunded_fen=10_000)).state.payments[1].outcome == "returned"
    given_up = after(again, EndReturn(number=2, refunded_fen=None, is_lost=True))
    assert given_up.state.to_give_back is None
    assert [item.outcome for item in given_up.state.returns] == ["lost", "lost"]


def test_a_channel_is_asked_again_only_after_it_is_known_that_nothing_comes() -> None:
    collection = opened()
    with pytest.raises(Refused, match="No order to collect 2"):
        after(collection, BeginAsking(number=2))
    again = after(collection, BeginAsking(number=2, last_was="lost", reason="the channel lost it"))
    assert [asked.outcome for asked in again.state.asked] == ["lost", "asked"]
    with pytest.raises(Refused):
        after(shown(), End(how="failed", reason="x"), BeginAsking(number=2, last_was="failed"))


def test_a_debit_is_asked_for_after_its_channel_is_chosen_and_shows_nothing_to_do() -> None:
    assert opened(DEBIT, mandate_no="M-1").state.asked == ()
    debit = shown(DEBIT)
    assert (debit.status, debit.state.debit_channel) == ("processing", "X")


@pytest.mark.parametrize(
    ("method", "code"), [(DEBIT, "mandate_required"), (CollectionMethod.QUICK, "card_required")], ids=str
)
def test_whose_card_or_which_mandate_is_debited_must_be_named(method: CollectionMethod, code: str) -> None:
    with pytest.raises(Refused) as refused:
        opened(method)
    assert refused.value.code == code


def test_an_operator_is_called_a_day_after_a_collection_should_have_ended_or_a_return_began() -> None:
    waiting = after(shown(), PayerHasActed())
    call = CallOperator(reason=None, seen_version=waiting.version)
    with pytest.raises(NotDue):
        after(waiting, call, at=AT + timedelta(hours=24))
    assert after(waiting, call, at=AT + timedelta(hours=24.6)).state.attention is not None

    collection = after(shown(), booking(took()), booking(took(number=2)))
    held = after(collection, HoldReturn(number=1, payment_no="P-2"), suspended_fen={"P-2": 10_000})
    call = CallOperator(reason=None, seen_version=held.version)
    with pytest.raises(NotDue):
        after(held, call, at=AT + timedelta(hours=23))
    flagged = after(held, call, at=AT + timedelta(hours=24))
    assert flagged.state.attention is not None
    ended = after(flagged, EndReturn(number=1, refunded_fen=10_000))
    assert ended.state.attention is None


def test_an_operator_who_came_takes_the_call_back() -> None:
    paid = after(shown(), booking(took()))
    with pytest.raises(Refused, match="pay_in_state"):
        after(paid, OperatorCame(seen_version=paid.version))
    flagged = after(paid, CallOperator(reason="where is its money?", seen_version=paid.version))
    attended = after(flagged, OperatorCame(seen_version=flagged.version))
    assert (attended.status, attended.state) == ("paid", paid.state)


def test_its_expiry_is_a_deadline_until_it_has_ended() -> None:
    _, decision = shown().decide(End(how="closed", reason="not paid in time"), at=AT, facts=facts())
    assert [(clock.name, clock.due_at) for clock in decision.deadlines] == [("expiry", None)]


def test_a_top_up_of_the_first_release_is_credited_on_its_consent() -> None:
    new = shown()
    kept = {name: value for name, value in new.document().items() if name not in _NOT_KEPT_THEN}
    stored = Stored(platform_no="HOME", object_no="T-1", version=2, status="awaiting_payer", body=kept)

    _, decision = Collection.of_document(stored).decide(booking(took()), at=AT, facts=facts())

    (basis,) = decision.bases
    assert basis.reference == opening_consent_no("T-1")
    assert len(str(basis.operation_hash)) == 64


_NOT_KEPT_THEN = frozenset(
    {"asked", "asked_as", "codes_sent", "consent_no", "consent_hash", "returns", "subject", "return_url", "attention",
     "config_version", "counted_on"}
)  # fmt: skip


# ---- refunds of orders ----


def refund() -> Refund:
    """What an order has let go."""
    direct = DirectPaid(
        consent_no="R-1",
        pay_in_no="D-1:pay:1",
        collection_no="D-1:pay:1:collect:1",
        method=QR,
        payment_no="P-1",
        paid_fen=10_000,
        settles_on=date(2026, 3, 4),
    )
    state = RefundState(
        status=DirectRefundStatus.UNDER_WAY, order_no="D-1", owner_no="O-1", amount_fen=4_000, direct=direct
    )
    return Refund(platform_no="HOME", state=state, version=1)


def test_what_a_channel_gave_back_leaves_what_it_owes_and_what_it_kept_is_the_owners() -> None:
    begun, _ = refund().decide(BeginRefund(), at=AT, facts=facts())

    _, given_back = begun.decide(EndRefund(refunded_fen=4_000), at=AT, facts=facts())
    assert moved(given_back) == {"refund:P-1": -4_000, "channel_due:qr_wechat": 4_000}
    kept, decision = begun.decide(EndRefund(refunded_fen=None, reason="too late"), at=AT, facts=facts())
    assert moved(decision) == {"refund:P-1": -4_000, "O-1/pending:2026-03-04": 4_000}
    with pytest.raises(Refused, match="payment_differs"):
        begun.decide(EndRefund(refunded_fen=4_001), at=AT, facts=facts())
    with pytest.raises(Refused):
        kept.decide(EndRefund(refunded_fen=4_000), at=AT, facts=facts())
    assert [(clock.name, clock.due_at) for clock in decision.deadlines] == [("text", AT + timedelta(days=1))]
    told, decision = kept.decide(OwnerTold(), at=AT, facts=facts())
    assert (told.state.told, told.state.must_be_told) == (True, False)
    assert [(clock.name, clock.due_at) for clock in decision.deadlines] == [("text", None)]
    untold, decision = kept.decide(OwnerTold(failure="no mobile"), at=AT, facts=facts())
    assert (untold.state.untold, untold.state.told, untold.state.must_be_told) == ("no mobile", False, False)
    assert decision.event_type == "refund.owner_not_told"
    with pytest.raises(Refused):
        begun.decide(OwnerTold(), at=AT, facts=facts())


def test_an_operator_is_called_a_day_after_a_refund_was_asked_for() -> None:
    begun, _ = refund().decide(BeginRefund(), at=AT, facts=facts())
    call = CallOperatorToRefund(reason=None, seen_version=2)
    with pytest.raises(NotDue):
        begun.decide(call, at=AT + timedelta(hours=23), facts=facts())
    assert begun.decide(call, at=AT + timedelta(hours=24), facts=facts())[0].state.attention is not None


def test_a_refund_that_never_arrived_is_asked_for_anew_under_another_number_but_not_for_ever() -> None:
    begun, first = refund().decide(BeginRefund(), at=AT, facts=facts())
    lost, decision = begun.decide(EndRefund(refunded_fen=None, is_lost=True), at=AT, facts=facts())
    assert (lost.status, lost.state.begun_at, decision.entry) == ("under_way", None, None)
    ended, _ = begun.decide(EndRefund(refunded_fen=4_000, is_lost=True), at=AT, facts=facts())
    assert ended.status == "refunded", "what was given back never goes again"
    for late in (EndRefund(refunded_fen=4_000), BeginRefund()):
        with pytest.raises(Refused, match="No refund 1"):
            lost.decide(late, at=AT, facts=facts())

    again, second = lost.decide(BeginRefund(number=2), at=AT, facts=facts())
    assert second.request_no != first.request_no
    _, given_back = again.decide(EndRefund(number=2, refunded_fen=4_000), at=AT, facts=facts())
    assert moved(given_back) == {"refund:P-1": -4_000, "channel_due:qr_wechat": 4_000}
    given_up, _ = again.decide(EndRefund(number=2, refunded_fen=None, is_lost=True), at=AT, facts=facts())
    assert given_up.status == "credited"
