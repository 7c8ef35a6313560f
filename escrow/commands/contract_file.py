"""The contract file that the demo lives through: what a person wrote, checked line by line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yaml.nodes import Node

from escrow.commands.contract_nodes import ContractFileError, Page, Section
from escrow.domain.errors import Refused
from escrow.domain.identity_numbers import is_cnaps_code, is_corporate_account_no, is_unionpay_card
from escrow.domain.milestones import Milestone, MilestoneKind, Stage, plan
from escrow.domain.money import BASIS_POINTS, ratio, yuan
from escrow.domain.requests import is_platform_number

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_DAYS = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_DAYS = 3660
_YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}
_KINDS = {"person": "person", "sole trader": "sole_trader", "company": "company"}
_RELEASED = {
    "at start": MilestoneKind.START,
    "on acceptance": MilestoneKind.ACCEPTANCE,
    "after warranty": MilestoneKind.WARRANTY,
}
_NUMBER_HINT = "use 1 to 64 letters, digits, `_`, `.` or `-`, beginning with a letter or digit"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccountTerms:
    """A bank account at which a member is paid."""

    account_no: str
    bank_name: str
    cnaps_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTerms:
    """A member of the platform; `kind` is `person`, `sole_trader` or `company`."""

    member_no: str
    kind: str
    name: str
    mobile: str
    bank_account: BankAccountTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFile:
    """What the file says. Periods are None where the platform's default holds; amounts are fen."""

    platform_no: str
    platform_name: str
    commission_basis_points: int
    members: Mapping[str, MemberTerms]
    order_no: str
    owner: MemberTerms
    contractor: MemberTerms
    price_fen: int
    milestones: Sequence[Milestone]
    withdraw_automatically: bool
    inspection_days: int | None
    retention_days: int | None


def read_contract_file(path: Path) -> ContractFile:
    """Read and check a contract file.

    Raises:
        ContractFileError: with one line per problem, each naming the file and the line.
    """
    page = Page(path)
    file = Section(page, page.root(), "the file", required=("platform", "members", "order"))
    platform = _Platform(page, file.part("platform"))
    members = _members(page, file)
    order = _order(page, file.part("order"), members)
    page.finish()
    if order is None:
        raise ContractFileError(f"{path}:1: the file has no order")  # noted by Section; this is for the type
    return ContractFile(
        platform_no=platform.number,
        platform_name=platform.name,
        commission_basis_points=platform.commission_basis_points,
        members=members,
        order_no=order.number,
        owner=order.owner,
        contractor=order.contractor,
        price_fen=order.price_fen,
        milestones=order.milestones,
        withdraw_automatically=order.withdraw_automatically,
        inspection_days=order.inspection_days,
        retention_days=order.retention_days,
    )
