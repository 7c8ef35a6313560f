"""The bank's side of the wire for identity checks, micro-deposits and UnionPay checks."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints

from bank_sandbox import card_checks, micro_deposits, register
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

router = APIRouter(prefix="/gateway", route_class=SignedRoute)

_Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class PersonMessage(WireMessage):
    """A person to be looked up."""

    acct_no: str
    name: _Name
    id_no: str


class CompanyMessage(WireMessage):
    """A business to be looked up; empty parts are not compared."""

    acct_no: str
    name: _Name
    credit_code: str
    legal_rep_name: _Name
    legal_rep_id_no: str = ""
    agent_name: str = ""
    agent_id_no: str = ""


class DepositMessage(WireMessage):
    """A micro-deposit on the wire; the bank chooses its amount."""

    req_seq: ReqSeq
    acct_no: str
    payee_acct: Annotated[str, StringConstraints(max_length=40)]
    payee_name: _Name
    payee_type: Annotated[str, StringConstraints(pattern="^(PERSON|COMPANY)$")]
    payee_bank_code: Annotated[str, StringConstraints(max_length=20)] = ""
    mobile: Mobile


class AmountMessage(WireMessage):
    """The amount that the payee typed, with the reference of its text message."""

    req_seq: ReqSeq
    amt: Yuan
    reference: str


class CardMessage(WireMessage):
    """A UnionPay check on the wire."""

    req_seq: ReqSeq
    acct_no: str
    name: _Name
    id_no: str
    card_no: str
    mobile: Mobile


class CardCodeMessage(WireMessage):
    """A code that the card's holder typed."""

    req_seq: ReqSeq
    code: Annotated[str, StringConstraints(pattern=r"^\d{6}$")]


class CardNumberMessage(WireMessage):
    """Names a check."""

    req_seq: ReqSeq


@router.post("/identity/person")
async def check_person(request: Request, message: PersonMessage) -> Response:
    """Look a person up."""
    return await read(
        request,
        lambda session: register.check_person(session.at(message.acct_no), name=message.name, id_no=message.id_no),
    )


@router.post("/identity/company")
async def check_company(request: Request, message: CompanyMessage) -> Response:
    """Look a business up."""
    question = register.CompanyQuestion(**message.model_dump(exclude={"acct_no"}))
    return await read(request, lambda session: register.check_company(session.at(message.acct_no), question))


@router.post("/micro-deposits")
async def send_micro_deposit(request: Request, message: DepositMessage) -> Response:
    """Send a micro-deposit."""
    wanted = micro_deposits.DepositRequest(
        **message.model_dump(exclude={"payee_type"}), payee_is_corporate=message.payee_type == "COMPANY"
    )
    return await take_in(request, wanted, micro_deposits.receive, micro_deposits.receive_late, micro_deposits.wire)


@router.get("/micro-deposits")
async def micro_deposit_state(request: Request, req_seq: AskedFor, acct_no: MeantFor = "") -> Response:
    """State of a micro-deposit."""
    return await read(request, lambda session: micro_deposits.query(session, req_seq, acct_no))


@router.post("/micro-deposits/confirm")
async def confirm_micro_deposit(request: Request, message: AmountMessage) -> Response:
    """Try an amount."""
    amount_fen = positive(message.amt)
    return await read(
        request,
        lambda session: micro_deposits.confirm(
            session, message.req_seq, amount_fen=amount_fen, reference=message.reference
        ),
    )


@router.get("/card-checks/capabilities")
async def card_check_capabilities(request: Request) -> Response:
    """Which banks' cards are checked."""
    return await read(request, card_checks.capabilities)


@router.post("/card-checks")
async def start_card_check(request: Request, message: CardMessage) -> Response:
    """Start a UnionPay check."""
    wanted = card_checks.CheckRequest(**message.model_dump())
    return await take_in(request, wanted, card_checks.receive, card_checks.receive_late, card_checks.wire)


@router.get("/card-checks")
async def card_check_state(request: Request, req_seq: AskedFor, acct_no: MeantFor = "") -> Response:
    """State of a UnionPay check."""
    return await read(request, lambda session: card_checks.query(session, req_seq, acct_no))


@router.post("/card-checks/confirm")
async def confirm_card_check(request: Request, message: CardCodeMessage) -> Response:
    """Try a code."""
    return await read(request, lambda session: card_checks.confirm(session, message.req_seq, message.code))


@router.post("/card-checks/code")
async def send_card_code(request: Request, message: CardNumberMessage) -> Response:
    """Send a new code."""
    return await read(request, lambda session: card_checks.send_code_again(session, message.req_seq))
