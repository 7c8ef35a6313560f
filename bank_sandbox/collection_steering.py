"""The handle for people and tests, for money in and verification: what payers and payees do. Not signed."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import StringConstraints

from bank_sandbox import collection_wire, collections, duties, methods, micro_deposits, register, settlements
from bank_sandbox.books import Session
from bank_sandbox.gateway import ReqSeq, WireMessage, Yuan, bank_of, positive
from bank_sandbox.methods import Method, SettlementTime
from bank_sandbox.money import fen

router = APIRouter(prefix="/sandbox")

_Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class Paying(WireMessage):
    """The payer pays a collection: what is asked, or with `amt` that much, whatever the collection's state."""

    req_seq: ReqSeq
    amt: Yuan | None = None


class SettlementSetting(WireMessage):
    """When payments of a method are settled from now on, and whether less fees."""

    method: Method
    settlement: SettlementTime
    net: bool


class SettlementMisleading(WireMessage):
    """Holds a method's settlements back past the day that was said, until that is taken back; the next one is short."""

    method: Method
    held: bool = False
    short: Yuan = "0.00"


class SettleNow(WireMessage):
    """Settles what waits for its batch: of one method, or of all."""

    method: Method | None = None


class Person(WireMessage):
    """An entry of the register of persons."""

    id_no: str
    name: _Name


class CompanyEntry(WireMessage):
    """An entry of the register of businesses; capital in yuan, None where none is registered."""

    credit_code: str
    name: _Name
    legal_rep_name: _Name
    legal_rep_id_no: str
    status: register.Status = register.Status.ACTIVE
    registered_capital: Yuan | None = None
    paid_in_capital: Yuan | None = None


class DepositNumber(WireMessage):
    """Names a micro-deposit."""

    req_seq: ReqSeq


@router.post("/payments")
async def pay(request: Request, message: Paying) -> dict[str, object]:
    """Pay a collection as its payer would; without `amt` exactly as its scenario has it."""

    def work(session: Session) -> dict[str, object]:
        row = collections.existing(session, message.req_seq)
        session = session.at(row["acct_no"])
        if message.amt is None:
            collections.payer_pays(session, row)
        else:
            collections.book_payment(session, row, positive(message.amt))
        return collection_wire.wire(session, collections.existing(session, message.req_seq))

    return await bank_of(request).in_session(work)


@router.post("/settlement-terms")
async def set_settlement(request: Request, message: SettlementSetting) -> dict[str, object]:
    """Settle a method's payments with each payment or in a batch the day after, gross or less fees."""
    await bank_of(request).in_session(
        lambda session: methods.set_settlement(session, message.method, message.settlement, message.net)
    )
    return message.model_dump(by_alias=True)


@router.post("/settlement-misleading")
async def mislead_about_settlement(request: Request, message: SettlementMisleading) -> dict[str, object]:
    """Let a method's settlements be late, or the next one short."""

    def work(session: Session) -> None:
        settlements.mislead(session, message.method, held=message.held, short_fen=fen(message.short))
        duties.do_due(session)

    await bank_of(request).in_session(work)
    return message.model_dump(by_alias=True)


@router.post("/settle-now")
async def settle_now(request: Request, message: SettleNow) -> dict[str, str]:
    """Settle what waits for its batch."""

    def work(session: Session) -> None:
        settlements.settle_now(session, message.method)
        duties.do_due(session)

    await bank_of(request).in_session(work)
    return {"status": "ok"}


@router.put("/register/persons")
async def enter_person(request: Request, message: Person) -> dict[str, str]:
    """Enter or rename a person."""
    await bank_of(request).in_session(
        lambda session: register.enter_person(session, id_no=message.id_no, name=message.name)
    )
    return {"idNo": message.id_no}


@router.put("/register/companies")
async def enter_company(request: Request, message: CompanyEntry) -> dict[str, str]:
    """Enter a business or change its entry."""
    company = register.Company(
        credit_code=message.credit_code,
        name=message.name,
        legal_rep_name=message.legal_rep_name,
        legal_rep_id_no=message.legal_rep_id_no,
        status=message.status,
        registered_fen=None if message.registered_capital is None else fen(message.registered_capital),
        paid_in_fen=None if message.paid_in_capital is None else fen(message.paid_in_capital),
    )
    await bank_of(request).in_session(lambda session: register.enter_company(session, company))
    return {"creditCode": message.credit_code}


@router.get("/micro-deposits")
async def list_micro_deposits(request: Request) -> list[dict[str, object]]:
    """All micro-deposits with their amounts, as the payees see them at their banks."""
    return await bank_of(request).in_session(micro_deposits.listed)


@router.post("/micro-deposits/return")
async def return_micro_deposit(request: Request, message: DepositNumber) -> dict[str, str]:
    """Let the payee's bank give a micro-deposit back now."""
    if not await bank_of(request).in_session(lambda session: micro_deposits.give_back(session, message.req_seq)):
        raise HTTPException(404, "there is no such micro-deposit to give back")
    return {"reqSeq": message.req_seq}
