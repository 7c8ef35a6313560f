"""The bank's side of the wire for money in: mandates, collections, refunds, settlements."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, StringConstraints

from bank_sandbox import (
    clock,
    collection_refunds,
    collection_wire,
    collections,
    mandates,
    methods,
    numbers,
    refusals,
    settlements,
)
from bank_sandbox.books import Session
from bank_sandbox.gateway import (
    AskedFor,
    MeantFor,
    Mobile,
    ReqSeq,
    SignedRoute,
    WireMessage,
    Yuan,
    positive,
    read,
    take_in,
)
from bank_sandbox.methods import Method
from bank_sandbox.refusals import Refusal

router = APIRouter(prefix="/gateway", route_class=SignedRoute)

_Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
_Code = Annotated[str, StringConstraints(pattern=r"^\d{6}$")]


class MandateMessage(WireMessage):
    """A mandate on the wire: caps a debit and a day in yuan, and the last day on which it is in force."""

    req_seq: ReqSeq
    acct_no: str
    payer_acct: str
    payer_name: _Name
    payer_id_no: str
    payer_mobile: Mobile
    max_amt: Yuan
    day_max_amt: Yuan
    last_day: date


class CollectionMessage(WireMessage):
    """A collection on the wire; amounts in yuan. Payer fields for QUICK, mandate and debit channel for DIRECT_DEBIT."""

    req_seq: ReqSeq
    acct_no: str
    method: Method
    amt: Yuan
    subject: _Name
    expires_at: AwareDatetime
    return_url: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")] = ""
    payer_acct: str = ""
    payer_name: str = ""
    payer_id_no: str = ""
    payer_mobile: Mobile | None = None
    mandate_no: str = ""
    debit_channel: str = ""


class NumberMessage(WireMessage):
    """Names what something is to be done with."""

    req_seq: ReqSeq


class EndMessage(NumberMessage):
    """Names what is to be ended, and the account it is meant for: wanted when the bank does not know the number."""

    acct_no: str = ""


class CodeMessage(NumberMessage):
    """A code that the payer typed."""

    code: _Code


class RefundMessage(WireMessage):
    """A refund on the wire."""

    req_seq: ReqSeq
    original_req_seq: ReqSeq
    amt: Yuan
    reason: Annotated[str, StringConstraints(max_length=140)] = ""


@router.get("/collections/capabilities")
async def capabilities(request: Request, acct_no: MeantFor) -> Response:
    """Methods and debit channels with caps, fees, settlement and health at the account's present moment."""
    return await read(request, lambda session: methods.capabilities(session.at(acct_no)))


@router.post("/mandates")
async def sign_mandate(request: Request, message: MandateMessage) -> Response:
    """Register a mandate."""
    wanted = mandates.MandateRequest(
        **message.model_dump(exclude={"max_amt", "day_max_amt"}),
        max_fen=positive(message.max_amt),
        day_max_fen=positive(message.day_max_amt),
    )
    return await take_in(request, wanted, mandates.receive, mandates.receive_late, mandates.wire)


@router.get("/mandates")
async def mandate_state(request: Request, req_seq: AskedFor, acct_no: MeantFor = "") -> Response:
    """State of a mandate."""
    return await read(request, lambda session: mandates.query(session, req_seq, acct_no))


@router.post("/mandates/revoke")
async def revoke_mandate(request: Request, message: EndMessage) -> Response:
    """Revoke a mandate."""
    return await read(request, lambda session: mandates.revoke(session, message.req_seq, message.acct_no))


@router.post("/collections")
async def open_collection(request: Request, message: CollectionMessage) -> Response:
    """Open a collection."""
    if message.method is Method.QUICK and message.payer_mobile is None:
        raise Refusal(refusals.MALFORMED, "quick payment needs the payer's mobile")
    wanted = collections.CollectionRequest(
        req_seq=message.req_seq,
        acct_no=message.acct_no,
        method=message.method,
        amount_fen=positive(message.amt),
        subject=message.subject,
        expires_ms=clock.milliseconds(message.expires_at),
        return_url=message.return_url,
        payer_acct=message.payer_acct,
        payer_name=message.payer_name,
        payer_id_no=message.payer_id_no,
        payer_mobile=message.payer_mobile or "",
        mandate_no=message.mandate_no,
        debit_channel=message.debit_channel,
    )
    return await take_in(request, wanted, collections.receive, collections.receive_late, collection_wire.wire)


@router.get("/collections")
async def collection_state(request: Request, req_seq: AskedFor, acct_no: MeantFor = "") -> Response:
    """State of a collection."""

    def find(session: Session) -> object:
        row = collections.find(session, req_seq)
        return numbers.not_found(session.at(acct_no), req_seq) if row is None else collection_wire.wire(session, row)

    return await read(request, find)


@router.post("/collections/confirm")
async def confirm_collection(request: Request, message: CodeMessage) -> Response:
    """Try the code of a quick payment."""

    def confirm(session: Session) -> object:
        row, outcome = collections.confirm(session, message.req_seq, message.code)
        return collection_wire.wire(session, row) | outcome

    return await read(request, confirm)


@router.post("/collections/code")
async def send_collection_code(request: Request, message: NumberMessage) -> Response:
    """Send a new code for a quick payment."""
    return await read(
        request, lambda session: collection_wire.wire(session, collections.send_code_again(session, message.req_seq))
    )


@router.post("/collections/close")
async def close_collection(request: Request, message: EndMessage) -> Response:
    """Take no payment for a collection any more."""

    def close(session: Session) -> object:
        row = collections.close(session, message.req_seq, message.acct_no)
        if row is None:
            return numbers.not_found(session.at(message.acct_no), message.req_seq)
        return collection_wire.wire(session, row)

    return await read(request, close)


@router.post("/collection-refunds")
async def refund_collection(request: Request, message: RefundMessage) -> Response:
    """Take in a refund."""
    wanted = collection_refunds.RefundRequest(
        req_seq=message.req_seq,
        original_req_seq=message.original_req_seq,
        amount_fen=positive(message.amt),
        reason=message.reason,
    )
    return await take_in(
        request,
        wanted,
        collection_refunds.receive,
        collection_refunds.receive_late,
        lambda session, row: collection_refunds.wire(row),
    )


@router.get("/collection-refunds")
async def refund_state(request: Request, req_seq: AskedFor, acct_no: MeantFor = "") -> Response:
    """State of a refund."""
    return await read(request, lambda session: collection_refunds.query(session, req_seq, acct_no))


@router.get("/settlements/{settlement_no}")
async def settlement(request: Request, settlement_no: str) -> Response:
    """What a settlement consists of."""
    return await read(request, lambda session: settlements.wire(session, settlement_no))
