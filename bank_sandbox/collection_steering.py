"""The handle for people and tests, for money in and verification: what payers and payees do. Not signed."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import StringConstraints

from bank_sandbox import collection_wire, collections, duties, methods, micro_deposits, register, settlements
from bank_sandbox.books import Desk
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

    def work(desk: Desk) -> dict[str, object]:
        row = collections.existing(desk, message.req_seq)
        desk = desk.at(row["acct_no"])
        if message.amt is None:
            collections.payer_pays(desk, row)
        else:
            collections.book_payment(desk, row, positive(message.amt))
        return collection_wire.wire(desk, collections.existing(desk, message.req_seq))

    return await bank_of(request).at_desk(work)


@router.post("/settlement-terms")
async def set_settlement(request: Request, message: SettlementSetting) -> dict[str, object]:
    """Settle a method's payments with each payment or in a batch the day after, gross or less fees."""
    await bank_of(request).at_desk(
        lambda desk: methods.set_settlement(desk, message.method, message.settlement, message.net)
    )
    return message.model_dump(by_alias=True)


@router.post("/settle-now")
async def settle_now(request: Request, message: SettleNow) -> dict[str, str]:
    """Settle what waits for its batch."""

    def work(desk: Desk) -> None:
        settlements.settle_now(desk, message.method)
        duties.do_due(desk)

    await bank_of(request).at_desk(work)
    return {"status": "ok"}


@router.put("/register/persons")
async def enter_person(request: Request, message: Person) -> dict[str, str]:
    """Enter or rename a person."""
    await bank_of(request).at_desk(lambda desk: register.enter_person(desk, id_no=message.id_no, name=message.name))
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
    await bank_of(request).at_desk(lambda desk: register.enter_company(desk, company))
    return {"creditCode": message.credit_code}


@router.get("/micro-deposits")
async def list_micro_deposits(request: Request) -> list[dict[str, object]]:
    """All micro-deposits with their amounts, as the payees see them at their banks."""
    return await bank_of(request).at_desk(micro_deposits.listed)


@router.post("/micro-deposits/return")
async def return_micro_deposit(request: Request, message: DepositNumber) -> dict[str, str]:
    """Let the payee's bank give a micro-deposit back now."""
    if not await bank_of(request).at_desk(lambda desk: micro_deposits.give_back(desk, message.req_seq)):
        raise HTTPException(404, "there is no such micro-deposit to give back")
    return {"reqSeq": message.req_seq}
