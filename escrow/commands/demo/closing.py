"""The last page of the demo: every statement, the bank's own lines, and the checks, as data."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from escrow.commands.demo.stage import Stage
from escrow.commands.verify import all_lines, broken_invariants, settled_differences
from escrow.commands.verify_channels import channel_differences
from escrow.domain.money.accounts import Purpose
from escrow.domain.money.amounts import format_fen
from escrow.domain.money.sub_accounts import SubAccountTree

#: What is in flight gets this long to be posted before it counts as a difference.
_SETTLES_WITHIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of our ledger with all its lines as the API lists them, oldest first."""

    account: str
    member_no: str
    purpose: str
    balance_fen: int
    lines: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Accounts that belong together: what came in from elsewhere, what went out, what is left; integer fen."""

    title: str
    accounts: Sequence[Account]
    in_fen: int
    out_fen: int
    closing_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold; `problems` names what does not, line by line."""

    name: str
    figures: Mapping[str, int]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingPage:
    """Everything that the demo prints at its end; amounts are fen."""

    platform_no: str
    order_no: str
    statements: Sequence[Statement]
    tree: SubAccountTree
    withdrawals: Sequence[Mapping[str, Any]]
    bank_balance_fen: int
    bank_lines: Sequence[Mapping[str, Any]]
    checks: Sequence[Check]

    @property
    def problems(self) -> list[str]:
        """All that does not hold."""
        return [problem for check in self.checks for problem in check.problems]

    def as_document(self) -> dict[str, Any]:
        """The page for programs."""
        return {"holds": not self.problems, **asdict(self)}


async def closing_page(stage: Stage) -> ClosingPage:
    """Read all statements over the API and the custody account from the bank, and check one against the other."""
    differences = await settled_differences(
        stage.books, stage.bank, stage.platform_no, stage.custody_account_no, wait_seconds=_SETTLES_WITHIN_SECONDS
    )
    accounts = [
        Account(
            account=found["account"],
            member_no=found["member_no"] or "",
            purpose=found["purpose"],
            balance_fen=found["balance_fen"],
            lines=[line async for line in stage.api.lines(found["account"])],
        )
        async for found in stage.api.accounts()
    ]
    orders = [await stage.api.get(f"orders/{order_no}") for order_no in _orders_of(stage)]
    bank_balance_fen = await stage.bank.balance_fen(stage.custody_account_no)
    bank_lines = await all_lines(stage.bank, stage.custody_account_no)
    return ClosingPage(
        platform_no=stage.platform_no,
        order_no=stage.order_no,
        statements=_statements(stage, accounts),
        tree=_tree(await stage.api.get("platform/sub-accounts")),
        withdrawals=[
            {"withdrawal_no": found["withdrawal_no"], "rail": found["rail"], "principal_fen": found["principal_fen"]}
            for found in (await stage.api.get("withdrawals", limit=200))["withdrawals"]
        ],
        bank_balance_fen=bank_balance_fen,
        bank_lines=[
            {
                "line_no": line.line_no,
                "bank_serial_no": line.bank_serial_no,
                "kind": line.kind,
                "amount_fen": line.amount_fen,
                "balance_after_fen": line.balance_after_fen,
                "booked_at": line.booked_at.isoformat(),
                "request_no": line.request_no,
            }
            for line in bank_lines
        ],
        checks=[
            _statements_add_up(accounts),
            Check(
                name="every invariant of the ledger",
                figures={},
                problems=await broken_invariants(stage.books, stage.platform_no),
            ),
            *(_order_is_conserved(order) for order in orders),
            _sub_accounts_equal_custody(accounts),
            Check(
                name="every channel says the same of what it collected and settled",
                figures={},
                problems=await channel_differences(stage.books.recorder, stage.bank.collections, stage.platform_no),
            ),
            _bank_says_the_same(accounts, bank_balance_fen, differences),
        ],
    )


def _orders_of(stage: Stage) -> list[str]:
    design = stage.contract.design
    return [*([design.order_no] if design else []), stage.order_no]


def _statements(stage: Stage, accounts: Sequence[Account]) -> list[Statement]:
    order = stage.contract.order
    escrow = [account for account in accounts if account.purpose == Purpose.ESCROW]
    members = [account for account in accounts if account.member_no and account not in escrow]
    channels = [account for account in accounts if account.purpose == Purpose.CHANNEL_DUE]
    elsewhere = (Purpose.CUSTODY, Purpose.CHANNEL_DUE)
    platform = [account for account in accounts if not account.member_no and account.purpose not in elsewhere]
    return [
        _statement(f"Owner {order.owner_no}", [a for a in members if a.member_no == order.owner_no]),
        _statement("Escrow", escrow),
        _statement(f"Contractor {order.contractor_no}", [a for a in members if a.member_no == order.contractor_no]),
        _statement(f"Platform {stage.platform_no}", platform),
        *([_statement("What channels collected; negative is what they owe us", channels)] if channels else []),
        _statement(
            "Custody account in our books; negative is what the bank holds for us",
            [a for a in accounts if a.purpose == Purpose.CUSTODY],
        ),
    ]


def _statement(title: str, accounts: Sequence[Account]) -> Statement:
    """Accounts that belong together; what an entry moves between two of them is neither in nor out."""
    by_entry: defaultdict[int, int] = defaultdict(int)
    for account in accounts:
        for line in account.lines:
            by_entry[line["entry_id"]] += line["amount_fen"]
    return Statement(
        title=title,
        accounts=accounts,
        in_fen=sum(amount_fen for amount_fen in by_entry.values() if amount_fen > 0),
        out_fen=-sum(amount_fen for amount_fen in by_entry.values() if amount_fen < 0),
        closing_fen=sum(account.balance_fen for account in accounts),
    )


def _statements_add_up(accounts: Sequence[Account]) -> Check:
    problems = []
    for account in accounts:
        balance_fen = 0
        for line in account.lines:
            balance_fen += line["amount_fen"]
            if line["balance_after_fen"] != balance_fen:
                problems.append(
                    f"{account.account}: entry {line['entry_id']} shows {format_fen(line['balance_after_fen'])} "
                    f"where its lines add up to {format_fen(balance_fen)}"
                )
        if balance_fen != account.balance_fen:
            problems.append(
                f"{account.account}: balance {format_fen(account.balance_fen)}, its lines {format_fen(balance_fen)}"
            )
    lines = sum(len(account.lines) for account in accounts)
    return Check(name="every balance is the sum of its lines", figures={"lines": lines}, problems=problems)


def _order_is_conserved(order: Mapping[str, Any]) -> Check:
    figures = {name: order[f"{name}_fen"] for name in ("paid", "released", "commission", "refunded", "held")}
    rest_fen = figures["paid"] - sum(fen for name, fen in figures.items() if name != "paid")
    problems = [] if rest_fen == 0 else [f"order {order['order_no']}: {format_fen(rest_fen)} are unaccounted for"]
    name = f"{order['order_no']}: paid = released + commission + refunded + held"
    return Check(name=name, figures=figures, problems=problems)


def _sub_accounts_equal_custody(accounts: Sequence[Account]) -> Check:
    owed_to_us = (Purpose.CUSTODY, Purpose.CHANNEL_DUE, Purpose.BANK_CHARGES)
    held_fen = sum(account.balance_fen for account in accounts if account.purpose not in owed_to_us)
    custody_fen, channels_fen, charges_fen = (
        -sum(account.balance_fen for account in accounts if account.purpose == purpose) for purpose in owed_to_us
    )
    rest_fen = held_fen - custody_fen - channels_fen - charges_fen
    return Check(
        name="sub-accounts = custody + what channels owe + bank charges not made good",
        figures={
            "sub-accounts": held_fen,
            "custody": custody_fen,
            "channels": channels_fen,
            "bank charges": charges_fen,
        },
        problems=[] if rest_fen == 0 else [f"the sub-accounts differ from custody by {format_fen(rest_fen)}"],
    )


def _bank_says_the_same(accounts: Sequence[Account], bank_balance_fen: int, differences: Sequence[str]) -> Check:
    custody_fen = -sum(account.balance_fen for account in accounts if account.purpose == Purpose.CUSTODY)
    return Check(
        name="the bank's own balance = our custody account, no line unposted",
        figures={"bank": bank_balance_fen, "custody": custody_fen, "bank - custody": bank_balance_fen - custody_fen},
        problems=differences,
    )


def _tree(answer: Mapping[str, Any]) -> SubAccountTree:
    return SubAccountTree(
        functional_fen={item["sub_account_no"]: item["balance_fen"] for item in answer["functional"]},
        members_fen=answer["members_fen"],
        custody_fen=answer["custody_fen"],
        channels_owe_fen=answer["channels_owe_fen"],
        bank_charges_fen=answer["bank_charges_fen"],
    )
