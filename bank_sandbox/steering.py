"""The handle for people and tests: what happens outside the bank, and what shall go wrong inside. Not signed."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import AwareDatetime, Field, StringConstraints

from bank_sandbox import bank as running
from bank_sandbox import (
    card_checks,
    clock,
    custody,
    duties,
    gateway,
    methods,
    notices,
    payouts,
    register,
    sayings,
    scenarios,
    settlements,
    statement,
    texting,
)
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Channel, Health
from bank_sandbox.custody import LineKind
from bank_sandbox.gateway import MeantFor, WireMessage, Yuan, bank_of
from bank_sandbox.methods import DebitChannel, Method
from bank_sandbox.money import fen
from bank_sandbox.notices import NoticeState
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target

router = APIRouter(prefix="/sandbox")

SignedYuan = Annotated[str, StringConstraints(pattern=r"^-?\d{1,17}\.\d{2}$")]


class Opening(WireMessage):
    """Opens a custody account; the same reference gets the same account. Without a first moment at the bank's time."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    start_at: AwareDatetime | None = None


class Transfer(WireMessage):
    """A transfer from an account elsewhere into a custody account."""

    acct_no: str
    amt: Yuan
    payer_acct: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    payer_name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    remark: Annotated[str, StringConstraints(max_length=140)] = ""


class Planting(WireMessage):
    """A line out of nowhere, booked without a notice."""

    acct_no: str
    amt: SignedYuan
    kind: LineKind = LineKind.ADJUSTMENT
    req_seq: str = ""
    party_acct: Annotated[str, StringConstraints(max_length=40)] = ""
    party_name: Annotated[str, StringConstraints(max_length=120)] = ""
    remark: str = ""
    serial_no: Annotated[str, StringConstraints(max_length=64)] = ""


class Saying(WireMessage):
    """What is told of a number otherwise than the books have it; without fields it is told as it is again."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    fields: dict[str, Any] | None = None


class CutOff(WireMessage):
    """Tells the statement of a day without its last entries, or cut off in the middle of the file."""

    acct_no: str
    day: date
    entries: Annotated[int, Field(ge=0)] | None = None
    size: Annotated[int, Field(ge=0)] | None = None


class OddNotice(WireMessage):
    """A notice of any kind."""

    kind: Annotated[str, StringConstraints(max_length=40)]
    acct_no: str
    req_seq: str = ""
    state: str = ""
    amt: Yuan = "0.00"


class ClockMove(WireMessage):
    """Moves an account's clock forward to a time."""

    acct_no: str
    to: AwareDatetime


class Service(StrEnum):
    """Services beside the payment channels."""

    REGISTER = "REGISTER"
    CARD_CHECK = "CARD_CHECK"


class HealthSetting(WireMessage):
    """Health of one channel, collection method, debit channel or service, else of the whole gateway."""

    health: Health
    channel: Channel | Method | DebitChannel | Service | None = None


class OneTime(WireMessage):
    """A scenario for the next request of a kind."""

    scenario: Scenario
    target: Target = Target.PAYOUT


class NoticeTarget(WireMessage):
    """Where notices go."""

    url: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")]


@router.get("/health")
async def health(request: Request) -> dict[str, str]:
    """Whether the bank runs, its books answer, and when an account begins that is opened now."""
    return {"status": "ok", "now": await bank_of(request).in_session(_now)}


@router.post("/custody-accounts")
async def open_custody_account(request: Request, message: Opening) -> dict[str, str]:
    """Open a custody account."""
    acct_no = await bank_of(request).in_session(
        lambda session: custody.open_account(
            session, reference=message.reference, title=message.title, start_at=message.start_at
        )
    )
    return {"acctNo": acct_no}


@router.post("/transfers")
async def transfer(request: Request, message: Transfer) -> dict[str, object]:
    """Book an inbound transfer and tell the client."""

    def receive(session: Session) -> dict[str, object]:
        session = session.at(message.acct_no)
        amount_fen = fen(message.amt)
        if amount_fen == 0:
            raise HTTPException(422, "nothing cannot be transferred")
        row = custody.book(
            session,
            message.acct_no,
            LineKind.CREDIT,
            amount_fen,
            party_acct=message.payer_acct,
            party_name=message.payer_name,
            remark=message.remark,
        )
        scenario = scenarios.take_once(session, Target.TRANSFER)
        notices.write(session, scenario, kind="LINE", acct_no=message.acct_no, amount_fen=amount_fen)
        return custody.wire(session, row)

    return await bank_of(request).in_session(receive)


@router.post("/planted-lines")
async def plant_line(request: Request, message: Planting) -> dict[str, object]:
    """Book a line that nobody ordered, e.g. to see that a reconciliation finds it."""

    def plant(session: Session) -> dict[str, object]:
        session = session.at(message.acct_no)
        amount_fen = fen(message.amt)
        if amount_fen == 0:
            raise HTTPException(422, "a line moves an amount")
        row = custody.book(
            session,
            message.acct_no,
            message.kind,
            amount_fen,
            req_seq=message.req_seq,
            party_acct=message.party_acct,
            party_name=message.party_name,
            remark=message.remark,
            serial_no=message.serial_no,
        )
        return custody.wire(session, row)

    return await bank_of(request).in_session(plant)


@router.put("/sayings")
async def say(request: Request, message: Saying) -> dict[str, str]:
    """Tell something otherwise than it is: an older state, another amount, a word nobody knows, or nothing of it."""
    await bank_of(request).in_session(lambda session: sayings.say(session, message.number, message.fields))
    return {"number": message.number}


@router.put("/statements")
async def cut_statement_off(request: Request, message: CutOff) -> dict[str, str]:
    """Tell less of a day's statement than there is; without entries or size all of it again."""
    cut = {name: value for name, value in (("entries", message.entries), ("size", message.size)) if value is not None}
    number = statement.number_of(message.acct_no, message.day)
    await bank_of(request).in_session(lambda session: sayings.say(session, number, cut or None))
    return {"number": number}


@router.post("/notices")
async def send_odd_notice(request: Request, message: OddNotice) -> dict[str, str]:
    """Send a notice, of whatever kind and about whatever number."""
    await bank_of(request).in_session(
        lambda session: notices.write(
            session.at(message.acct_no),
            Scenario.NONE,
            kind=message.kind,
            acct_no=message.acct_no,
            amount_fen=fen(message.amt),
            req_seq=message.req_seq,
            state=message.state,
        )
    )
    return {"kind": message.kind}


@router.get("/sms")
async def sms(request: Request) -> list[dict[str, object]]:
    """The outbox of text messages."""
    return await bank_of(request).in_session(texting.outbox)


@router.get("/payouts")
async def all_payouts(request: Request) -> list[dict[str, object]]:
    """All payouts."""
    return await bank_of(request).in_session(payouts.listed)


@router.get("/clock")
async def read_clock(request: Request, acct_no: MeantFor) -> dict[str, object]:
    """An account's time, when its next thing falls due by itself, and how many notices about it are on their way."""

    def look(session: Session) -> dict[str, object]:
        own = session.at(acct_no)
        due_ms = duties.next_due_ms(own)
        return {
            "now": _now(own),
            "nextDueAt": None if due_ms is None else moment(due_ms).isoformat(timespec="milliseconds"),
            "noticesWaiting": notices.waiting(own) if running.notice_url(own) else 0,
        }

    return await bank_of(request).in_session(look)


@router.post("/clock")
async def move_clock(request: Request, message: ClockMove) -> dict[str, str]:
    """Move an account's time forward; what is due on the way is done."""

    def move(session: Session) -> str:
        try:
            clock.move_to(session.at(message.acct_no), message.to)
        except ValueError as error:
            raise HTTPException(409, str(error)) from error
        duties.do_due(session)
        return _now(session.at(message.acct_no))

    return {"now": await bank_of(request).in_session(move)}


@router.post("/health")
async def set_health(request: Request, message: HealthSetting) -> dict[str, str]:
    """Make a channel or the whole gateway slow, down, or well again."""

    def put(session: Session) -> None:
        if message.channel is None:
            gateway.set_service_health(session, message.health)
        else:
            _set_health(session, message.channel, message.health)

    await bank_of(request).in_session(put)
    return {"health": message.health}


@router.post("/next")
async def order_scenario(request: Request, message: OneTime) -> dict[str, str]:
    """Order a scenario for the next request of a kind."""

    def order(session: Session) -> None:
        try:
            scenarios.order_once(session, message.target, message.scenario)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    await bank_of(request).in_session(order)
    return {"target": message.target, "scenario": message.scenario}


@router.post("/reset")
async def reset(request: Request) -> dict[str, str]:
    """Forget waiting scenarios and make everything well; books and clocks stay."""

    def clear(session: Session) -> None:
        session.db.execute("DELETE FROM one_time")
        gateway.set_service_health(session, Health.UP)
        for name in (*Channel, *Method, *DebitChannel, *Service):
            _set_health(session, name, Health.UP)
        sayings.take_all_back(session)
        for method in Method:
            settlements.mislead(session, method, held=False, short_fen=0)

    await bank_of(request).in_session(clear)
    return {"status": "ok"}


@router.get("/notices")
async def all_notices(request: Request) -> list[dict[str, object]]:
    """All notices with their state."""
    return await bank_of(request).in_session(notices.listed)


@router.post("/notices/{notice_no}/replay")
async def replay_notice(request: Request, notice_no: int) -> dict[str, Any]:
    """Send a notice once more."""
    return await _set_notice(request, notice_no, NoticeState.WAITING)


@router.post("/notices/{notice_no}/drop")
async def drop_notice(request: Request, notice_no: int) -> dict[str, Any]:
    """Never send a waiting notice."""
    return await _set_notice(request, notice_no, NoticeState.DROPPED)


@router.put("/notice-url")
async def set_notice_url(request: Request, message: NoticeTarget) -> dict[str, str]:
    """Send notices there from now on; an empty address keeps them waiting."""
    await bank_of(request).in_session(lambda session: running.set_notice_url(session, message.url))
    return {"url": message.url}


async def refused(request: Request, refusal: Exception) -> Response:
    """Answer to a refusal met at this handle."""
    assert isinstance(refusal, Refusal)  # noqa: S101 - registered for this class only
    return gateway.answered({}, code=refusal.code, text=refusal.text, status=404)


async def _set_notice(request: Request, notice_no: int, state: NoticeState) -> dict[str, Any]:
    if not await bank_of(request).in_session(lambda session: notices.set_state(session, notice_no, state)):
        raise HTTPException(404, "there is no such notice")
    return {"noticeNo": notice_no, "state": state}


def _set_health(session: Session, name: Channel | Method | DebitChannel | Service, state: Health) -> None:
    if isinstance(name, Channel):
        payouts.set_channel_health(session, name, state)
    elif isinstance(name, Service):
        service = {Service.REGISTER: register, Service.CARD_CHECK: card_checks}[name]
        service.set_health(session, state)
    else:
        methods.set_health(session, name, state)


def _now(session: Session) -> str:
    return session.now.isoformat(timespec="milliseconds")
