"""The bank's side of the wire: signed requests in, signed answers out, misfortunes where they were ordered."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from bank_sandbox import channels, custody, payouts, refusals, sayings, scenarios, signing, statement, texting
from bank_sandbox.bank import Bank
from bank_sandbox.books import Session
from bank_sandbox.channels import Channel, Health
from bank_sandbox.money import fen, yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target
from bank_sandbox.workdays import CalendarUnknown

ReqSeq = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,160}$")]
Yuan = Annotated[str, StringConstraints(pattern=r"^\d{1,17}\.\d{2}$")]
#: Number in a query, and the account it is meant for: wanted when the bank does not know the number.
AskedFor = Annotated[ReqSeq, Query(alias="reqSeq")]
MeantFor = Annotated[str, Query(alias="acctNo")]
Mobile = Annotated[str, StringConstraints(pattern=r"^1\d{10}$")]
_T = TypeVar("_T")
_SERVICE = "service"


class NoAnswer(Exception):
    """The request gets no answer: the connection is held until the client leaves or the time is up."""


class BrokenAnswer(Exception):
    """The request is answered with a proxy's error page."""


class SignedRoute(APIRoute):
    """Checks the signature of every request, signs every answer, and plays the misfortunes of transport."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handle_signed(request: Request) -> Response:
            bank = bank_of(request)
            body = await request.body()
            signature = request.headers.get("Bank-Signature", "")
            try:
                await _serve_at_all(bank)
                _check_signature(bank, request, body, signature)
                answer = await handle(request)
            except Refusal as refusal:
                status = 401 if refusal.code == refusals.SIGNATURE else 200
                answer = answered({}, code=refusal.code, text=refusal.text, status=status)
            except RequestValidationError as error:
                fields = ", ".join(".".join(str(part) for part in found["loc"]) for found in error.errors())
                answer = answered({}, code=refusals.MALFORMED, text=f"malformed: {fields}", status=400)
            except NoAnswer:
                await _hold(request, bank.options.silence_seconds)
                return Response(status_code=504)
            except BrokenAnswer:
                return Response("<html><body>502 Bad Gateway</body></html>", status_code=502, media_type="text/html")
            answer.headers["Bank-Signature"] = signing.answer_signature(
                bank.options.key, request=signature, status=answer.status_code, body=bytes(answer.body)
            )
            return answer

        return handle_signed


router = APIRouter(prefix="/gateway", route_class=SignedRoute)


class WireMessage(BaseModel):
    """A message in the wire's own spelling (camelCase); unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class PayoutMessage(WireMessage):
    """A payout on the wire; amounts in yuan."""

    req_seq: ReqSeq
    acct_no: str
    channel: Channel
    amt: Yuan
    payee_acct: Annotated[str, StringConstraints(max_length=40)]
    payee_name: Annotated[str, StringConstraints(max_length=120)]
    payee_type: Annotated[str, StringConstraints(pattern="^(PERSON|COMPANY)$")]
    payee_bank_code: Annotated[str, StringConstraints(max_length=20)] = ""
    summary: Annotated[str, StringConstraints(max_length=140)] = ""


class SmsMessage(WireMessage):
    """A text message on the wire."""

    req_seq: ReqSeq
    acct_no: str
    mobile: Mobile
    text: Annotated[str, StringConstraints(min_length=1, max_length=500)]


def bank_of(request: Request) -> Bank:
    """The bank that the application was made for."""
    bank: Bank = request.app.state.bank
    return bank


def answered(data: object, *, code: str = refusals.ACCEPTED, text: str = "", status: int = 200) -> Response:
    """An answer in the bank's envelope."""
    content = json.dumps({"retCode": code, "retMsg": text, "data": data}, ensure_ascii=False)
    return Response(content, status_code=status, media_type="application/json")


def service_health(session: Session) -> Health:
    """Health of the whole gateway as set by hand."""
    return Health(session.setting(_SERVICE, Health.UP))


def set_service_health(session: Session, health: Health) -> None:
    """Make the whole gateway slow or down, or well again; it stays across restarts."""
    session.remember(_SERVICE, health)


@router.get("/capabilities")
async def capabilities(request: Request, acct_no: MeantFor) -> Response:
    """Channels with caps, tariff, hours and health at the account's present moment."""

    def list_channels(session: Session) -> dict[str, object]:
        session = session.at(acct_no)
        return {
            "at": session.now.isoformat(timespec="milliseconds"),
            "bankCode": channels.BANK_CODE,
            "channels": [_channel(session, channel) for channel in Channel],
        }

    return await read(request, list_channels)


@router.get("/custody/{acct_no}/balance")
async def balance(request: Request, acct_no: str) -> Response:
    """Booked balance."""
    return await read(request, lambda session: {"bal": yuan(custody.account(session, acct_no)["balance_fen"])})


@router.get("/custody/{acct_no}/lines")
async def lines(
    request: Request, acct_no: str, after: Annotated[int, Query(ge=0)], limit: Annotated[int, Query(ge=1, le=1000)]
) -> Response:
    """Lines above a number."""
    return await read(request, lambda session: custody.lines_after(session.at(acct_no), after, limit))


@router.get("/custody/{acct_no}/statement")
async def day_statement(request: Request, acct_no: str, day: date) -> Response:
    """The day's camt.053."""
    content = await _looked_up(request, lambda session: statement.camt053(session.at(acct_no), day))
    return Response(content, media_type="application/xml")


@router.get("/payouts")
async def payout_state(request: Request, req_seq: AskedFor, acct_no: MeantFor = "") -> Response:
    """State of one payout."""
    return await read(request, lambda session: payouts.query(session, req_seq, acct_no))


@router.post("/payouts")
async def submit_payout(request: Request, message: PayoutMessage) -> Response:
    """Take in a payout."""
    payout = payouts.PayoutRequest(
        req_seq=message.req_seq,
        acct_no=message.acct_no,
        channel=message.channel,
        amount_fen=positive(message.amt),
        payee_acct=message.payee_acct,
        payee_name=message.payee_name,
        payee_is_corporate=message.payee_type == "COMPANY",
        payee_bank_code=message.payee_bank_code,
        summary=message.summary,
    )
    return await take_in(request, payout, payouts.receive, payouts.receive_late, lambda session, row: payouts.wire(row))


@router.post("/sms")
async def send_sms(request: Request, message: SmsMessage) -> Response:
    """Take in a text message."""
    bank = bank_of(request)
    scenario = await bank.in_session(lambda session: scenarios.take_once(session, Target.SMS))
    if scenario is Scenario.TIMEOUT_NOT_BOOKED:
        raise NoAnswer
    await bank.in_session(
        lambda session: texting.send(
            session.at(message.acct_no), req_seq=message.req_seq, mobile=message.mobile, text=message.text
        )
    )
    await _play(bank, scenario)
    return answered({})


async def read(request: Request, work: Callable[[Session], object]) -> Response:
    """Answer with what `work` finds, as it is told; it may suffer what was ordered for a reading."""
    return answered(await _looked_up(request, lambda session: sayings.as_said(session, work(session))))


async def take_in(
    request: Request,
    wanted: _T,
    receive: Callable[[Session, _T], tuple[Scenario, sqlite3.Row | None]],
    receive_late: Callable[[Session, _T], None],
    wire: Callable[[Session, sqlite3.Row], object],
) -> Response:
    """Take in what a request wants, once per number, with the misfortune that befalls it.

    Args:
        receive: gives the misfortune, and the row that was entered or known; None when it was not taken in.
        receive_late: takes in what was long on its way.
        wire: wire form of the row; a row whose `state` is FAIL is answered with its reason as a no.
    """
    bank = bank_of(request)

    def work(session: Session) -> tuple[Scenario, sqlite3.Row | None, object]:
        scenario, row = receive(session, wanted)
        return scenario, row, None if row is None else sayings.as_said(session, wire(session, row))

    scenario, row, data = await bank.in_session(work)
    if scenario is Scenario.TIMEOUT_BOOKED_LATE:
        arrival = asyncio.create_task(_arrive_late(bank, lambda session: receive_late(session, wanted)))
        bank.late_arrivals.add(arrival)
        arrival.add_done_callback(bank.late_arrivals.discard)
    await _play(bank, scenario)
    if row is None:
        raise NoAnswer
    if row["state"] == "FAIL":
        return answered(data, code=row["reason_code"], text=row["reason_text"])
    return answered(data)


async def _looked_up(request: Request, work: Callable[[Session], _T]) -> _T:
    bank = bank_of(request)
    scenario, found = await bank.in_session(lambda session: (scenarios.take_once(session, Target.READ), work(session)))
    await _play(bank, scenario)
    return found


async def _play(bank: Bank, scenario: Scenario) -> None:
    """Play what a scenario does to the answer."""
    if scenario is Scenario.SLOW:
        await asyncio.sleep(bank.options.slow_seconds)
    if scenario is Scenario.BROKEN_ANSWER:
        raise BrokenAnswer
    if scenario in (Scenario.TIMEOUT_BOOKED, Scenario.TIMEOUT_NOT_BOOKED, Scenario.TIMEOUT_BOOKED_LATE):
        raise NoAnswer


async def _arrive_late(bank: Bank, take: Callable[[Session], None]) -> None:
    await asyncio.sleep(bank.options.late_seconds)
    await bank.in_session(take)


async def _serve_at_all(bank: Bank) -> None:
    health = await bank.in_session(service_health)
    if health is Health.DOWN:
        raise BrokenAnswer
    if health is Health.SLOW:
        await asyncio.sleep(bank.options.slow_seconds)


async def _hold(request: Request, seconds: float) -> None:
    """Wait until the client hangs up, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return


def _check_signature(bank: Bank, request: Request, body: bytes, signature: str) -> None:
    timestamp = request.headers.get("Bank-Timestamp", "")
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    expected = signing.request_signature(
        bank.options.key, method=request.method, target=target, timestamp=timestamp, body=body
    )
    if not signing.same(signature, expected):
        raise Refusal(refusals.SIGNATURE, "the signature does not hold; compare the connection's keys")
    if abs(time.time() - int(timestamp)) > signing.TOLERANCE_SECONDS:
        raise Refusal(refusals.SIGNATURE, "the timestamp is too far from the real time")


def positive(amount_text: str) -> int:
    """Fen of a wire amount that must not be nothing.

    Raises:
        Refusal: it is nothing.
    """
    amount_fen = fen(amount_text)
    if amount_fen == 0:
        raise Refusal(refusals.MALFORMED, "nothing cannot be paid")
    return amount_fen


def _channel(session: Session, channel: Channel) -> dict[str, object]:
    terms = channels.TERMS[channel]
    health, note = payouts.channel_health(session, channel), ""
    try:
        is_open = terms.is_open(session.now)
    except CalendarUnknown:
        is_open, note = False, "calendar_unknown"
    return {
        "channel": channel,
        "cap": None if terms.cap_fen is None else yuan(terms.cap_fen),
        "open": is_open,
        "hours": terms.hours,
        "health": health,
        "note": note,
        "tariff": _tariff(terms),
    }


def _tariff(terms: channels.Terms) -> list[dict[str, str]]:
    if terms.flat_fee_fen is not None:
        return [{"upTo": "", "fee": yuan(terms.flat_fee_fen)}]
    grades = [{"upTo": yuan(up_to_fen), "fee": yuan(fee_fen)} for up_to_fen, fee_fen in channels.TARIFF]
    return [*grades, {"upTo": "", "fee": "0.002%, at most 200.00"}]
