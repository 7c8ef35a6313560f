"""Recomputes everything that the demo prints at its end, from the contract file and the listed movements.

Imports the standard library only, and knows the rules by itself: `python recompute_demo.py CONTRACT.yaml PAGE.json`
ends with code 0, or with 1 and one line for every figure that it finds to be another.
"""

import json
import re
import sys
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

#: What the bank charges for a payout by amount in yuan (up to), and by rails that have a price of their own, in fen.
TARIFF = ((10_000, 500), (100_000, 1_000), (500_000, 1_500), (1_000_000, 2_000))
RAIL_CHARGES = {"in_bank": 0, "unionpay": 200, "shenzhen_local": 80}
#: What the channel of a QR code keeps of what it collects.
QR_FEE = Fraction("0.0038")

#: What every platform has under its custody account besides its members.
FUNCTIONAL = (
    "escrow", "suspense", "fees", "interest", "top_up_in_transit", "withdrawal_in_transit", "own", "subsidy",
)  # fmt: skip


class Contract:
    """The few facts of a contract file that amounts follow from, found by reading its lines."""

    def __init__(self, text: str) -> None:
        lines = [re.sub(r"\s+#.*$", "", line).rstrip() for line in text.splitlines()]
        order = lines[lines.index("order:") :]
        design = lines[lines.index("design:") : lines.index("order:")] if "design:" in lines else []
        self.design_no = _value(design, "number") if design else ""
        self.design_fen = _fen(_value(design, "price")) if design else 0
        self.order_no = _value(order, "number")
        self.owner_no = _value(order, "owner")
        self.contractor_no = _value(order, "contractor")
        self.price_fen = _fen(_value(order, "price"))
        self.rate = _share(_value(lines, "commission"))
        self.withdraws_itself = any(re.fullmatch(r"\s*withdraw automatically: (yes|true)", line) for line in order)
        shares = [_share(match[1]) for line in order if (match := re.fullmatch(r"[\s-]*share: (.+)", line))]
        amounts = [_fen(match[1]) for line in order if (match := re.fullmatch(r"[\s-]*amount: (.+)", line))]
        self.gross_fen = amounts or [int(share * self.price_fen) for share in shares[:-1]]
        if not amounts:
            self.gross_fen.append(self.price_fen - sum(self.gross_fen))

    def splits(self) -> list[tuple[int, int]]:
        """Net and commission of each milestone: commission is floor(rate × cumulative gross), less what was taken."""
        splits, released_fen, taken_fen = [], 0, 0
        for gross_fen in self.gross_fen:
            released_fen += gross_fen
            commission_fen = int(self.rate * released_fen) - taken_fen
            taken_fen += commission_fen
            splits.append((gross_fen - commission_fen, commission_fen))
        return splits

    def design_split(self) -> tuple[int, int]:
        """Net and commission of the design; nothing where there is none."""
        commission_fen = int(self.rate * self.design_fen)
        return self.design_fen - commission_fen, commission_fen


class Recomputation:
    """One comparison: every figure of the page with the one that follows from contract and movements."""

    def __init__(self, contract: Contract, page: dict[str, Any]) -> None:
        self.contract = contract
        self.page = page
        self.wrong: list[str] = []
        self.accounts = {
            account["account"]: account for statement in page["statements"] for account in statement["accounts"]
        }
        self.nets = dict(enumerate(contract.splits(), start=1))
        self.commission_fen = sum(commission for _, commission in self.nets.values())
        self.design_net_fen, self.design_commission_fen = contract.design_split()
        self.channel_fee_fen = _half_up(QR_FEE * contract.design_fen)
        self.withdrawals = {item["withdrawal_no"]: item for item in page["withdrawals"]}
        self.charges_fen = [_charge_fen(item["rail"], item["principal_fen"]) for item in self.withdrawals.values()]
        self.paid_in_fen = sum(line["amount_fen"] for line in page["bank_lines"] if line["kind"] == "inbound")
        own_pay_in_fen = self.paid_in_fen - contract.price_fen
        commissions_fen = self.commission_fen + self.design_commission_fen
        self.left_fen = own_pay_in_fen + commissions_fen - self.channel_fee_fen - sum(self.charges_fen)

    def compare(self) -> list[str]:
        """What differs, one line each; the problems that the page itself names come last."""
        self.ledger()
        self.milestones()
        self.design()
        self.statements()
        self.balances()
        self.bank()
        self.checks()
        return self.wrong

    def same(self, what: str, shown: object, computed: object) -> None:
        """Note a figure that is another one."""
        if shown != computed:
            self.wrong.append(f"{what}: shown {shown}, computed {computed}")

    def ledger(self) -> None:
        """Every line's balance follows from the lines before; every entry's lines sum to zero."""
        entries: defaultdict[int, int] = defaultdict(int)
        for name, account in self.accounts.items():
            balance_fen = 0
            for line in account["lines"]:
                balance_fen += line["amount_fen"]
                entries[line["entry_id"]] += line["amount_fen"]
                self.same(f"{name}, balance after entry {line['entry_id']}", line["balance_after_fen"], balance_fen)
            self.same(f"{name}, balance", account["balance_fen"], balance_fen)
        for entry_id, sum_fen in entries.items():
            self.same(f"sum of entry {entry_id}", sum_fen, 0)

    def milestones(self) -> None:
        """From the contract alone: what each milestone brought to whom, and what was withdrawn of it."""
        order_no, payee = self.contract.order_no, f"{self.contract.contractor_no}/withdrawable"
        for number, (net_fen, commission_fen) in self.nets.items():
            release = f"{order_no}:M{number}:release:1"
            out_of_escrow_fen = self.booked(f"{self.contract.owner_no}/escrow:{order_no}", release)
            self.same(f"M{number} out of escrow", out_of_escrow_fen, -self.contract.gross_fen[number - 1])
            self.same(f"M{number} to the contractor", self.booked(payee, release), net_fen)
            self.same(f"M{number} commission", self.booked("fees", release), commission_fen)
            withdrawal_no = f"{order_no}:M{number}:withdrawal:1" if self.contract.withdraws_itself else f"W-{number}"
            withdrawn_fen = self.withdrawals.get(withdrawal_no, {}).get("principal_fen", 0)
            self.same(f"withdrawal of M{number}", withdrawn_fen, net_fen)
        nets_fen = [self.design_net_fen, *(net_fen for net_fen, _ in self.nets.values())]
        self.same("withdrawals", len(self.withdrawals), sum(net_fen > 0 for net_fen in nets_fen))

    def design(self) -> None:
        """What the channel collected for the design, and where it went."""
        design_no, price_fen = self.contract.design_no, self.contract.design_fen
        if not design_no:
            return
        escrow = self.accounts.get(f"{self.contract.owner_no}/escrow:{design_no}", {"lines": []})["lines"]
        self.same("design in escrow", [line["amount_fen"] for line in escrow], [price_fen, -price_fen])
        release = f"{design_no}:M1:release:1"
        pending = [name for name in self.accounts if name.startswith(f"{self.contract.contractor_no}/pending:")]
        released_fen = sum(self.booked(name, release) for name in pending)
        self.same("design to the contractor, not settled yet", released_fen, self.design_net_fen)
        self.same("design, commission", self.booked("fees", release), self.design_commission_fen)
        collected = self.accounts.get("channel_due:qr_wechat", {"lines": []})["lines"]
        self.same("the channel owed", [line["amount_fen"] for line in collected], [-price_fen, price_fen])
        withdrawn_fen = self.withdrawals.get("W-design", {}).get("principal_fen", 0)
        self.same("withdrawal of the design", withdrawn_fen, self.design_net_fen)

    def booked(self, account: str, request_no: str) -> int:
        """What one request booked on one account."""
        lines = self.accounts.get(account, {"lines": []})["lines"]
        return sum(line["amount_fen"] for line in lines if line["request_no"] == request_no)

    def statements(self) -> None:
        """In, out and closing of each statement; what moves between its own accounts is neither in nor out."""
        for statement in self.page["statements"]:
            moved: defaultdict[int, int] = defaultdict(int)
            for account in statement["accounts"]:
                for line in account["lines"]:
                    moved[line["entry_id"]] += line["amount_fen"]
            title = statement["title"]
            self.same(f"{title}, in", statement["in_fen"], sum(fen for fen in moved.values() if fen > 0))
            self.same(f"{title}, out", statement["out_fen"], -sum(fen for fen in moved.values() if fen < 0))
            self.same(f"{title}, closing", statement["closing_fen"], sum(moved.values()))

    def balances(self) -> None:
        """What is left, and where: commission less the bank's charges, and what the platform paid in itself."""
        expected = {"own": max(self.left_fen, 0), "bank_charges": min(self.left_fen, 0), "custody": -self.left_fen}
        left = {name: account["balance_fen"] for name, account in self.accounts.items() if account["balance_fen"]}
        self.same("what is left on accounts", left, {name: fen for name, fen in expected.items() if fen})
        tree = self.page["tree"]
        functional_fen = {**dict.fromkeys(FUNCTIONAL, 0), "own": expected["own"]}
        self.same("functional sub-accounts", tree["functional_fen"], functional_fen)
        self.same("sub-accounts of members", tree["members_fen"], 0)
        self.same("custody in the tree", tree["custody_fen"], self.left_fen)
        self.same("what channels owe", tree["channels_owe_fen"], 0)
        self.same("bank charges in the tree", tree["bank_charges_fen"], -expected["bank_charges"])

    def bank(self) -> None:
        """The bank's own lines and balance."""
        balance_fen = 0
        for line in self.page["bank_lines"]:
            balance_fen += line["amount_fen"]
            self.same(f"the bank's balance after line {line['line_no']}", line["balance_after_fen"], balance_fen)
        price_fen, settled_fen = self.contract.price_fen, self.contract.design_fen - self.channel_fee_fen
        credits = [fen for fen in (price_fen, self.paid_in_fen - price_fen, settled_fen) if fen]
        nets_fen = [self.design_net_fen, *(net_fen for net_fen, _ in self.nets.values())]
        debits = [-fen for fen in (*nets_fen, *self.charges_fen) if fen]
        shown = sorted(line["amount_fen"] for line in self.page["bank_lines"])
        self.same("the bank's lines", shown, sorted([*credits, *debits]))
        self.same("the bank's balance", self.page["bank_balance_fen"], self.left_fen)

    def checks(self) -> None:
        """The figures of the checks at the end, and that each check found nothing."""
        lines, nobody = [account["lines"] for account in self.accounts.values()], {"refunded": 0, "held": 0}
        orders = {self.contract.order_no: (self.contract.price_fen, self.commission_fen)}
        if self.contract.design_no:
            orders[self.contract.design_no] = (self.contract.design_fen, self.design_commission_fen)
        shown = {check["name"].partition(": paid")[0]: check["figures"] for check in self.page["checks"]}
        for order_no, (price_fen, commission_fen) in orders.items():
            figures = {"paid": price_fen, "released": price_fen - commission_fen, "commission": commission_fen}
            self.same(f"check of {order_no}", shown.get(order_no), figures | nobody)
        computed = {
            "lines": sum(map(len, lines)),
            "sub-accounts": max(self.left_fen, 0),
            "custody": self.left_fen,
            "channels": 0,
            "bank charges": max(-self.left_fen, 0),
            "bank": self.left_fen,
            "bank - custody": 0,
        }
        others = [figures for order_no, figures in shown.items() if order_no not in orders]
        self.same("figures of the other checks", {n: f for figures in others for n, f in figures.items()}, computed)
        self.wrong += [problem for check in self.page["checks"] for problem in check["problems"]]


def _charge_fen(rail: str, principal_fen: int) -> int:
    if rail in RAIL_CHARGES:
        return RAIL_CHARGES[rail]
    for up_to_yuan, charge_fen in TARIFF:
        if principal_fen <= up_to_yuan * 100:
            return charge_fen
    # 0.002 %, to the fen by the bank's own rounding, at most 200.00
    return min(_half_up(Fraction(principal_fen, 50_000)), 20_000)


def _half_up(fen: Fraction) -> int:
    return int(fen + Fraction(1, 2))


def _value(lines: list[str], key: str) -> str:
    return next(match[1] for line in lines if (match := re.fullmatch(rf"[\s-]*{key}: (.+)", line)))


def _fen(text: str) -> int:
    whole, _, cents = text.strip("\"'").replace(",", "").partition(".")
    return int(whole) * 100 + int((cents or "0").ljust(2, "0"))


def _share(text: str) -> Fraction:
    return Fraction(text.rstrip("%")) / 100 if text.endswith("%") else Fraction(text)


def main(contract_path: str, page_path: str) -> int:
    """Compare; print what differs, or one line that nothing does."""
    contract = Contract(Path(contract_path).read_text(encoding="utf-8"))
    found = Recomputation(contract, json.loads(Path(page_path).read_text(encoding="utf-8"))).compare()
    print("\n".join(found) or "every figure recomputed, all the same")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
