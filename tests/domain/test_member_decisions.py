"""What looks after members decides, in every state and by every command, without a server."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from escrow.domain.collections.mandates import MandateStatus, ends_at, mandate_terms
from escrow.domain.decisions import BoundAccount, Decision, Facts, GivenConsent, NotDue, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.closings import SETTLE_PAUSE, BeginClosing, CompleteClosing
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.mandate import (
    MANDATES,
    BankKnowsTheEnd,
    BankRefusesIt,
    BankTakesIt,
    LastDayIsOver,
    Revoke,
    Sign,
)
from escrow.domain.members.member import (
    ANSWERS_WITHIN,
    MEMBERS,
    AskIdentity,
    IdentityAnswered,
    IdentityUnanswered,
)
from escrow.domain.members.states import MemberEvent, MemberStatus
from escrow.domain.members.transitions import (
    MANDATE_TRANSITIONS,
    VERIFICATION_TRANSITIONS,
    MandateEvent,
    VerificationEvent,
)
from escrow.domain.members.verification import VERIFICATIONS, Ask, CameBack, Judge, TimeIsOver, WasNotSent, WasSent
from escrow.domain.members.verification_rules import VALID_FOR, VerificationMethod, VerificationStatus
from escrow.domain.money.journal import Basis
from escrow.domain.platforms.authorisations import Authorisation, AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import FunctionSwitches
from escrow.domain.state_diagrams import render_members
from escrow.domain.time.calendars import WorkingCalendar

AT = datetime(2026, 3, 3, 2, tzinfo=UTC)
DAY = date(2026, 3, 3)
CONSENT = Basis(kind="consent", reference="R-1", operation_hash="as recorded")
#: It as a decision sees it: the platform vouches for the member.
VOUCHED = GivenConsent(
    consent_no="R-1", object_kind="mandate", object_no="X-1", operation="sign", given_by="O-1", terms={},
    operation_hash="as recorded", method="platform_key", recorded_at=AT, note="",
)  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "member-states.md"
V, M, S = VerificationStatus, MandateStatus, MemberStatus


def taken(
    kind: ObjectKind[Any], status: str | None, body: dict[str, Any], command: Any, *, at: datetime = AT, **known: Any
) -> tuple[Any, Decision]:
    """What a command does to an object that stands so in the books; None for one that does not stand there."""
    stored = Stored(platform_no="HOME", object_no="X-1", version=0 if status is None else 3, status=status, body=body)
    facts = Facts(**{"accounting_day": DAY, "config": PlatformConfig(), "consent": VOUCHED, **known})
    after, decision = kind.restored(stored).decide(command, at=at, facts=facts)
    # The document is what the events say, one after the other: nothing stands in it that no event told.
    assert dict(after.document()) == {**body, **decision.event}
    return after, decision


def outcome(*arguments: Any, **more: Any) -> str:
    """Status after a command, or the code with which it is refused."""
    try:
        after, _ = taken(*arguments, **more)
    except (Refused, NotDue) as error:
        return error.code
    return str(after.status)


def armed(decision: Decision) -> dict[str, datetime | None]:
    """Deadlines that begin and end with a decision."""
    return {item.name: item.due_at for item in decision.deadlines}


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_members(), "print it anew: escrow states --members"


# ---- verification ----

VERIFICATION = {"member_no": "O-1", "account_id": "A-1", "method": "micro_deposit"}
BOUND = (BoundAccount(account_id="A-1", is_default=True, is_verified=False, version=9),)
WRONG = (CodeCheck.WRONG,) * 3


def verification_body(status: VerificationStatus) -> dict[str, Any]:
    sent = {} if status is V.ASKED else {"sendings": 1}
    return {**VERIFICATION, **sent, **({} if status in (V.ASKED, V.SENT) else {"reason": ""})}


#: Each event of the table, brought about by a command that finds this.
_VERIFYING: dict[VerificationEvent, tuple[Any, dict[str, Any]]] = {
    VerificationEvent.SENT: (WasSent(number=1), {}),
    VerificationEvent.RULE_REFUSED: (WasNotSent(event=VerificationEvent.RULE_REFUSED, reason="no"), {}),
    VerificationEvent.BANK_DECLINED: (WasNotSent(event=VerificationEvent.BANK_DECLINED, reason="no"), {}),
    VerificationEvent.NOT_SENT_IN_TIME: (TimeIsOver(), {"deadlines": {"send": AT}}),
    VerificationEvent.CONFIRMED: (Judge(), {"tries": (CodeCheck.WRONG, CodeCheck.ACCEPTED), "accounts": BOUND}),
    VerificationEvent.TRIES_SPENT: (Judge(), {"tries": WRONG, "accounts": BOUND}),
    VerificationEvent.ACCOUNT_UNBOUND: (Judge(), {"tries": (CodeCheck.ACCEPTED,)}),
    VerificationEvent.NOT_CONFIRMED_IN_TIME: (TimeIsOver(), {"deadlines": {"confirm": AT}}),
    VerificationEvent.CAME_BACK: (CameBack(number=1), {}),
}
#: One command for the same in two states: time is over in both.
_TIMES = {VerificationEvent.NOT_SENT_IN_TIME, VerificationEvent.NOT_CONFIRMED_IN_TIME}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(V, VerificationEvent)))
def test_a_verification_goes_the_ways_of_its_table_and_no_other(
    status: VerificationStatus, event: VerificationEvent
) -> None:
    command, found = _VERIFYING[event]
    becomes = VERIFICATION_TRANSITIONS.get((status, event))
    if event in _TIMES:
        becomes = next((to for (at, by), to in VERIFICATION_TRANSITIONS.items() if at is status and by in _TIMES), None)
    expected = "verification_state" if becomes is None else becomes
    assert outcome(VERIFICATIONS, status, verification_body(status), command, **found) == expected


def test_a_verification_is_asked_for_once_and_has_ten_minutes_to_be_sent() -> None:
    ask = Ask(consent=CONSENT, member_no="O-1", account_id="A-1", method=VerificationMethod.MICRO_DEPOSIT)
    _, decision = taken(VERIFICATIONS, None, {}, ask)
    assert (decision.event, decision.bases) == (VERIFICATION, (CONSENT,))
    assert armed(decision) == {"send": AT + timedelta(minutes=10)}
    assert outcome(VERIFICATIONS, V.SENT, verification_body(V.SENT), ask) == "object_exists"
    for command, _found in _VERIFYING.values():
        assert outcome(VERIFICATIONS, None, {}, command) == "not_found"


def test_what_is_sent_anew_has_all_its_time_and_what_came_back_before_it_ends_nothing() -> None:
    body = {**verification_body(V.SENT), "sendings": 2}
    _, decision = taken(VERIFICATIONS, V.SENT, body, WasSent(number=3))
    assert armed(decision) == {"send": None, "confirm": AT + VALID_FOR[VerificationMethod.MICRO_DEPOSIT]}
    assert decision.request_no == ":account_verification:X-1:sent:3"
    assert outcome(VERIFICATIONS, V.SENT, body, CameBack(number=1)) == "verification_state"
    assert outcome(VERIFICATIONS, V.SENT, body, CameBack(number=2)) == "returned"


def test_the_account_is_verified_with_its_verification_as_it_was_read() -> None:
    command, found = _VERIFYING[VerificationEvent.CONFIRMED]
    _, decision = taken(VERIFICATIONS, V.SENT, verification_body(V.SENT), command, **found)
    assert [(item.kind, item.object_no, item.body) for item in decision.follows] == [
        ("bank_account", "A-1", {"verification": "micro_deposit"})
    ]
    assert [(item.object_no, item.version) for item in decision.has_read] == [("A-1", 9)]
    assert armed(decision) == {"send": None, "confirm": None}


def test_what_was_typed_in_time_counts_more_than_time_that_is_over() -> None:
    found = {"deadlines": {"confirm": AT}, "accounts": BOUND}
    body = verification_body(V.SENT)
    assert outcome(VERIFICATIONS, V.SENT, body, TimeIsOver(), tries=(CodeCheck.ACCEPTED,), **found) == "verified"
    assert outcome(VERIFICATIONS, V.SENT, body, TimeIsOver(), tries=(CodeCheck.WRONG,), **found) == "expired"
    early = {"deadlines": {"confirm": AT + timedelta(seconds=1)}}
    assert outcome(VERIFICATIONS, V.SENT, body, TimeIsOver(), **early) == "not_due"


def test_a_code_that_had_expired_is_no_try() -> None:
    tries = (CodeCheck.EXPIRED, CodeCheck.WRONG, CodeCheck.WRONG)
    assert outcome(VERIFICATIONS, V.SENT, verification_body(V.SENT), Judge(), tries=tries) == "verification_state"
    assert outcome(VERIFICATIONS, V.SENT, verification_body(V.SENT), Judge(), tries=(CodeCheck.EXHAUSTED,)) == "failed"


# ---- identity ----


def answered(event: MemberEvent) -> IdentityAnswered:
    return IdentityAnswered(check_no="IC-1", event=event, outcome={"result": "match"})


@pytest.mark.parametrize(("status", "event"), list(itertools.product(S, list(MemberEvent)[:3])))
def test_the_registrys_answer_changes_who_is_alive_and_closes_the_question(
    status: MemberStatus, event: MemberEvent
) -> None:
    after, decision = taken(MEMBERS, status, {"kind": "person"}, answered(event), open_checks={"IC-1": AT})
    alive = status not in (S.CLOSING, S.CLOSED)
    becomes = {"identity_matched": "verified", "identity_not_matched": "refused", "company_struck_off": "struck_off"}
    assert after.status == (becomes[event] if alive else status)
    assert decision.answer == {"status": becomes[event]}
    assert after.document()["identity"] == {"check_no": "IC-1", "answered_at": AT.isoformat(), "result": "match"}
    assert armed(decision) == {"answer": None}


def test_a_question_is_asked_of_who_may_be_checked_and_answered_once_or_left_after_a_day() -> None:
    ask = AskIdentity(consent=CONSENT, check_no="IC-1", subject="digest")
    _, decision = taken(MEMBERS, S.OPEN, {}, ask)
    assert armed(decision) == {"answer": AT + ANSWERS_WITHIN}
    assert [outcome(MEMBERS, status, {}, ask) for status in (S.CLOSING, S.CLOSED)] == ["member_state"] * 2
    assert outcome(MEMBERS, S.OPEN, {}, answered(MemberEvent.IDENTITY_MATCHED)) == "not_found"
    unanswered, asked = IdentityUnanswered(check_no="IC-1"), {"IC-1": AT - ANSWERS_WITHIN}
    assert outcome(MEMBERS, S.REFUSED, {}, unanswered, open_checks=asked) == "refused"
    assert outcome(MEMBERS, S.OPEN, {}, unanswered, open_checks={"IC-1": AT}) == "not_due"
    assert outcome(MEMBERS, None, {}, ask) == "not_found"


# ---- mandates ----

MANDATE = {"member_no": "O-1", **mandate_terms(account_id="A-1", per_debit_fen=1, per_day_fen=2, last_day=DAY)}
OVER = ends_at(DAY)
_MANDATE: dict[MandateEvent, Any] = {
    MandateEvent.BANK_TAKES_IT: BankTakesIt(payer_bank="ICBC"),
    MandateEvent.BANK_REFUSES_IT: BankRefusesIt(reason="no"),
    MandateEvent.REVOKED: Revoke(consent=CONSENT),
    MandateEvent.LAST_DAY_IS_OVER: LastDayIsOver(),
}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(M, MandateEvent)))
def test_a_mandate_goes_the_ways_of_its_table_and_no_other(status: MandateStatus, event: MandateEvent) -> None:
    becomes = MANDATE_TRANSITIONS.get((status, event), "mandate_state")
    assert outcome(MANDATES, status, MANDATE, _MANDATE[event], at=OVER) == becomes


def test_a_mandate_is_signed_before_its_last_day_is_over_and_told_to_the_bank() -> None:
    sign = Sign(consent=CONSENT, by="O-1", account_id="A-1", per_debit_fen=1, per_day_fen=2, last_day=DAY)
    _, decision = taken(MANDATES, None, {}, sign)
    assert decision.event == MANDATE
    assert armed(decision) == {"last_day": OVER, "bank_told": AT + timedelta(hours=1)}
    (basis,) = decision.bases
    assert (basis.reference, basis.operation_hash != CONSENT.operation_hash) == ("R-1", True)
    assert outcome(MANDATES, None, {}, sign, at=OVER) == "mandate_not_in_force"
    assert outcome(MANDATES, M.REVOKED, MANDATE, sign) == "object_exists"
    assert outcome(MANDATES, None, {}, LastDayIsOver()) == "not_found"


def test_a_mandate_that_has_ended_is_unfinished_until_the_bank_knows() -> None:
    _, decision = taken(MANDATES, M.ACTIVE, MANDATE, Revoke(consent=CONSENT))
    assert armed(decision) == {"last_day": None, "bank_told": AT + timedelta(hours=1)}
    _, decision = taken(MANDATES, M.SIGNED, MANDATE, BankRefusesIt(reason="no"))
    assert armed(decision) == {"last_day": None, "bank_told": None}
    untold: dict[str, Any] = {"deadlines": {"bank_told": AT}}
    _, decision = taken(MANDATES, M.REVOKED, MANDATE, BankKnowsTheEnd(), **untold)
    assert armed(decision) == {"bank_told": None}
    assert outcome(MANDATES, M.REVOKED, MANDATE, BankKnowsTheEnd()) == "mandate_state"
    assert outcome(MANDATES, M.ACTIVE, MANDATE, BankKnowsTheEnd(), **untold) == "mandate_state"
    assert outcome(MANDATES, M.ACTIVE, MANDATE, LastDayIsOver(), at=OVER - timedelta(seconds=1)) == "not_due"


# ---- closing ----

BEGIN = BeginClosing(consent=CONSENT, request_no="CL-1", calendar=WorkingCalendar())
OBSTACLE = {"what": "order", "order_no": "D-1"}


@pytest.mark.parametrize("status", [S.OPEN, S.VERIFIED, S.REFUSED, S.STRUCK_OFF])
def test_a_member_closes_in_two_steps_or_is_what_it_was(status: MemberStatus) -> None:
    closing, decision = taken(MEMBERS, status, {"kind": "person"}, BEGIN)
    due_at = AT + SETTLE_PAUSE
    assert closing.status == "closing"
    (deadline,) = decision.deadlines
    assert (deadline.object_kind, deadline.object_no, deadline.due_at) == ("member_closing", "X-1/CL-1", due_at)
    body, complete = dict(closing.document()), CompleteClosing(request_no="CL-1")
    assert outcome(MEMBERS, S.CLOSING, body, complete) == "not_due"
    assert outcome(MEMBERS, S.CLOSING, body, complete, at=due_at) == "closed"
    broken_off, decision = taken(MEMBERS, S.CLOSING, body, complete, at=due_at, obstacles=(OBSTACLE,))
    assert (broken_off.status, decision.event_type) == (status, "member.closing_broken_off")
    assert broken_off.document()["closing"]["broken_off_because"] == [OBSTACLE]
    assert outcome(MEMBERS, S.CLOSING, body, CompleteClosing(request_no="CL-2"), at=due_at) == "member_state"
    assert outcome(MEMBERS, status, body, complete, at=due_at) == "member_state"


def test_nobody_closes_with_something_in_the_way_or_twice_or_before_the_last_payout_can_no_longer_come_back() -> None:
    assert outcome(MEMBERS, S.OPEN, {}, BEGIN, obstacles=(OBSTACLE,)) == "member_not_closable"
    assert [outcome(MEMBERS, status, {}, BEGIN) for status in (S.CLOSING, S.CLOSED)] == ["member_state"] * 2
    _, decision = taken(MEMBERS, S.OPEN, {}, BEGIN, last_payout_at=AT)
    # The seventh working day after Tuesday 3 March ends with Thursday 12 March in Shanghai.
    assert armed(decision) == {"close": ends_at(date(2026, 3, 12))}


# ---- what the platform's configuration asks for ----

ASK_IDENTITY = AskIdentity(consent=CONSENT, check_no="IC-1", subject="digest")
SIGN = Sign(consent=CONSENT, by="O-1", account_id="A-1", per_debit_fen=1, per_day_fen=2, last_day=DAY)


@pytest.mark.parametrize(
    ("function", "kind", "status", "command"),
    [
        ("identity_check", MEMBERS, S.OPEN, ASK_IDENTITY),
        ("direct_debit", MANDATES, None, SIGN),
        *(
            (function, VERIFICATIONS, None, Ask(consent=CONSENT, member_no="O-1", account_id="A-1", method=method))
            for function, method in zip(("micro_deposit", "unionpay_check"), VerificationMethod, strict=True)
        ),
    ],
)
def test_nothing_begins_whose_function_is_off(
    function: str, kind: ObjectKind[Any], status: MemberStatus | None, command: Any
) -> None:
    off = PlatformConfig(functions=FunctionSwitches(**{function: False}))
    assert outcome(kind, status, {}, command) not in ("function_off", "object_exists")
    assert outcome(kind, status, {}, command, config=off) == "function_off"


@pytest.mark.parametrize("method", AuthorisationMethod)
def test_a_member_signs_and_leaves_in_no_other_way_than_its_platform_asks_for(method: AuthorisationMethod) -> None:
    config = PlatformConfig(authorisation=Authorisation(sign_mandate=method, close_member=method))
    for kind, status, command, done in ((MANDATES, None, SIGN, "signed"), (MEMBERS, S.OPEN, BEGIN, "closing")):
        for given in ("platform_key", "payment_password", "sms_code"):
            told = outcome(kind, status, {}, command, config=config, consent=replace(VOUCHED, method=given))
            is_enough = method in (AuthorisationMethod.NONE, given)
            assert told == (done if is_enough else "authorisation_required")
