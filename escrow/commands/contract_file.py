"""The contract file that the demo lives through: what a person wrote, checked line by line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from yaml.nodes import Node

from escrow.commands.contract_nodes import Page, Section
from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import (
    is_citizen_id,
    is_cnaps_code,
    is_corporate_account_no,
    is_unionpay_card,
)
from escrow.domain.money.amounts import BASIS_POINTS, ratio, yuan
from escrow.domain.orders.milestones import Milestone, MilestoneKind, Stage, plan
from escrow.domain.requests import is_platform_number
from escrow.domain.time.calendars import SHANGHAI

Value = TypeVar("Value")

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_DAYS = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_DAYS = 3660
_LONGEST_NAME = 80
_YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}
_KINDS = {"person": "person", "sole trader": "sole_trader", "company": "company"}
_OF_PERSONS = ("id number",)
_RELEASED = {
    "at start": MilestoneKind.START,
    "on acceptance": MilestoneKind.ACCEPTANCE,
    "after warranty": MilestoneKind.WARRANTY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccountTerms:
    """A bank account at which a member is paid."""

    account_no: str
    bank_name: str
    cnaps_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTerms:
    """A member of the platform; `kind` is `person`, `sole_trader` or `company`.

    `id_no` is a person's citizen ID number, empty where the file does not tell it.
    """

    member_no: str
    kind: str
    name: str
    mobile: str
    id_no: str
    bank_account: BankAccountTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTerms:
    """The platform on which the contract is made."""

    platform_no: str
    name: str
    commission_basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignTerms:
    """The drawings before the work: a small order of its own between the same two, its price in fen."""

    order_no: str
    price_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """The order itself. Periods are None where the platform's default holds; amounts are fen."""

    order_no: str
    owner_no: str
    contractor_no: str
    price_fen: int
    milestones: Sequence[Milestone]
    withdraw_automatically: bool
    inspection_days: int | None
    retention_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFile:
    """What the file says; `design` is None where there is none."""

    platform: PlatformTerms
    members: Mapping[str, MemberTerms]
    design: DesignTerms | None
    order: OrderTerms

    @property
    def owner(self) -> MemberTerms:
        """Who pays."""
        return self.members[self.order.owner_no]

    @property
    def contractor(self) -> MemberTerms:
        """Who is paid."""
        return self.members[self.order.contractor_no]


def read_contract_file(path: Path) -> ContractFile:
    """Read and check a contract file.

    A wrong value is noted and read as an empty one, so that one reading names all that is wrong.

    Raises:
        ContractFileError: with one line per problem, each naming the file and the line.
    """
    page = Page(path)
    file = Section(page, page.root(), "the file", required=("platform", "members", "order"), optional=("design",))
    platform = _platform(page, file.part("platform"))
    members = _members(page, file)
    order = _order(page, file.part("order"), members)
    design = _design(page, file.part("design"), order)
    page.finish()
    return ContractFile(platform=platform, members=members, design=design, order=order)


def _platform(page: Page, node: Node | None) -> PlatformTerms:
    section = Section(page, node, "the platform", required=("number", "name", "commission"))
    basis_points = section.read("commission", _basis_points, 0)
    return PlatformTerms(
        platform_no=section.read("number", _number, ""),
        name=section.read("name", _name, ""),
        commission_basis_points=basis_points,
    )


def _members(page: Page, file: Section) -> dict[str, MemberTerms]:
    members: dict[str, MemberTerms] = {}
    accounts: dict[str, str] = {}
    for node in file.items("members"):
        section = Section(
            page, node, "a member", required=("number", "kind", "name", "mobile", "bank account"), optional=_OF_PERSONS
        )
        member = _member(section)
        if member.member_no in members:
            section.wrong("number", f"member {member.member_no} stands twice; give each a number of its own")
        account_no = member.bank_account.account_no
        if account_no and accounts.setdefault(account_no, member.member_no) != member.member_no:
            section.wrong("bank account", f"this account is {accounts[account_no]}'s already; one account, one member")
        members[member.member_no] = member
    return members


def _member(section: Section) -> MemberTerms:
    kind = section.read("kind", _kind, "")
    account = Section(
        section.page, section.part("bank account"), "a bank account", required=("number", "bank", "cnaps")
    )
    id_no = section.read("id number", _citizen_id, "")
    if id_no and kind != "person":
        section.wrong("id number", "only a person has a citizen ID number; leave it out here")
    return MemberTerms(
        member_no=section.read("number", _number, ""),
        kind=kind,
        name=section.read("name", _name, ""),
        mobile=section.read("mobile", _mobile, ""),
        id_no=id_no,
        bank_account=BankAccountTerms(
            account_no=account.read("number", _company_account if kind == "company" else _card, ""),
            bank_name=account.read("bank", _name, ""),
            cnaps_code=account.read("cnaps", _cnaps, ""),
        ),
    )


def _order(page: Page, node: Node | None, members: Mapping[str, MemberTerms]) -> OrderTerms:
    section = Section(
        page,
        node,
        "the order",
        required=("number", "owner", "contractor", "price", "milestones"),
        optional=("withdraw automatically", "inspection days", "retention days"),
    )

    def member(text: str) -> str:
        if members and text not in members:
            raise ValueError(f"there is no member {text} under `members`; known are {', '.join(members)}")
        return text

    owner_no, contractor_no = section.read("owner", member, ""), section.read("contractor", member, "")
    if owner_no and owner_no == contractor_no:
        section.wrong("contractor", "owner and contractor are the same member; a contract has two parties")
    price_fen = section.read("price", _price, 0)
    return OrderTerms(
        order_no=section.read("number", _number, ""),
        owner_no=owner_no,
        contractor_no=contractor_no,
        price_fen=price_fen,
        milestones=_milestones(page, section, price_fen),
        withdraw_automatically=section.read("withdraw automatically", _yes_or_no, False),
        inspection_days=section.read("inspection days", _days, None),
        retention_days=section.read("retention days", _days, None),
    )


def _design(page: Page, node: Node | None, order: OrderTerms) -> DesignTerms | None:
    if node is None:
        return None
    section = Section(page, node, "the design", required=("number", "price"))
    terms = DesignTerms(order_no=section.read("number", _number, ""), price_fen=section.read("price", _price, 0))
    if terms.order_no and terms.order_no == order.order_no:
        section.wrong("number", f"{order.order_no} is the order's number already; give the design one of its own")
    return terms


def _milestones(page: Page, order: Section, price_fen: int) -> Sequence[Milestone]:
    lines = list(order.items("milestones"))
    stages: list[Stage] = []
    for node in lines:
        section = Section(page, node, "a milestone", required=("name", "released"), optional=("share", "amount"))
        stages.append(
            Stage(
                name=section.read("name", _name, ""),
                kind=section.read("released", _released, MilestoneKind.ACCEPTANCE),
                share=section.read("share", _share, None),
                amount_fen=section.read("amount", _price, None),
            )
        )
    if page.has_problems or not lines:
        return ()  # what the plan adds up to says nothing while its lines are wrong
    try:
        return plan(total_fen=price_fen, stages=stages).milestones
    except Refused as refusal:
        position = refusal.details.get("milestone_no")
        page.wrong(lines[position - 1] if position is not None else lines[0], refusal.message)
        return ()


# ---- values: text in, value out; ValueError or Refused says what to write instead ----


def _number(text: str) -> str:
    if not is_platform_number(text):
        raise ValueError(f"{text!r} cannot be a number here: use letters, digits, `_`, `.` or `-`, at most 64")
    return text


def _name(text: str) -> str:
    if len(text) > _LONGEST_NAME or not text.isprintable():
        raise ValueError(f"write a name on one line with at most {_LONGEST_NAME} characters")
    return text


def _kind(text: str) -> str:
    return _one_of(_KINDS, text)


def _released(text: str) -> MilestoneKind:
    return _one_of(_RELEASED, text)


def _yes_or_no(text: str) -> bool:
    return _one_of(_YES_OR_NO, text)


def _mobile(text: str) -> str:
    if _MOBILE.fullmatch(text) is None:
        raise ValueError("write a mainland mobile number, 11 digits beginning with 1")
    return text


def _citizen_id(text: str) -> str:
    if not is_citizen_id(text, today=datetime.now(SHANGHAI).date()):
        raise ValueError("the ID number is mistyped: it has 18 signs, with a birth date and a check digit")
    return text


def _card(text: str) -> str:
    if not is_unionpay_card(text):
        raise ValueError(
            "the account number is mistyped: a person's is a UnionPay card, 16 to 19 digits from 62 with a check digit"
        )
    return text


def _company_account(text: str) -> str:
    if not is_corporate_account_no(text):
        raise ValueError("the account number is mistyped: a company's has 9 to 32 digits and nothing else")
    return text


def _cnaps(text: str) -> str:
    if not is_cnaps_code(text):
        raise ValueError("the CNAPS code is mistyped: it has 12 digits, the last checks the others")
    return text


def _price(text: str) -> int:
    amount_fen = yuan(text)
    if amount_fen <= 0:
        raise ValueError("write an amount above zero")
    return amount_fen


def _share(text: str) -> str:
    ratio(text)
    return text


def _basis_points(text: str) -> int:
    basis_points = ratio(text) * BASIS_POINTS
    if basis_points.denominator != 1:
        raise ValueError("write the commission as a percentage with at most two decimals, e.g. 5%")
    return basis_points.numerator


def _days(text: str) -> int:
    if _DAYS.fullmatch(text) is None or not 1 <= int(text) <= _LONGEST_DAYS:
        raise ValueError(f"write a whole number of days from 1 to {_LONGEST_DAYS}")
    return int(text)


def _one_of(meanings: Mapping[str, Value], text: str) -> Value:
    if text.lower() not in meanings:
        raise ValueError(f"{text!r} is not known here; write one of: {', '.join(meanings)}")
    return meanings[text.lower()]
