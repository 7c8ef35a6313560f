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

#: What the bank charges for a payout by amount in yuan (up to), and by rails that have a price of their own, in fen.
TARIFF = ((10_000, 500), (100_000, 1_000), (500_000, 1_500), (1_000_000, 2_000))
RAIL_CHARGES = {"in_bank": 0, "unionpay": 200, "shenzhen_local": 80}


class Contract:
    """The few facts of a contract file that amounts follow from, found by reading its lines."""

    def __init__(self, text: str) -> None:
        lines = [re.sub(r"\s+#.*$", "", line).rstrip() for line in text.splitlines()]
        order = lines[lines.index("order:") :]
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


def wrong_figures(contract: Contract, page: dict) -> list[str]:  # type: ignore[type-arg]  # any JSON object
    """Every figure of the page that is another one by this computation."""
    found: list[str] = []

    def same(what: str, shown: object, computed: object) -> None:
        if shown != computed:
            found.append(f"{what}: shown {shown}, computed {computed}")

    statements = page["statements"]
    accounts = {account["account"]: account for statement in statements for account in statement["accounts"]}
    nets = {number: parts for number, parts in enumerate(contract.splits(), start=1)}
    commission_fen = sum(commission for _, commission in nets.values())
    paid_out = {number: net for number, (net, _) in nets.items() if net > 0}
    withdrawals = {item["withdrawal_no"]: item for item in page["withdrawals"]}
    charges = {number: _charge_fen(item["rail"], item["principal_fen"]) for number, item in withdrawals.items()}

    # From the contract: what each milestone brought, and what was withdrawn of it.
    entries: defaultdict[int, int] = defaultdict(int)
    booked: dict[tuple[str, str], int] = {}
    for name, account in accounts.items():
        balance_fen = 0
        for line in account["lines"]:
            balance_fen += line["amount_fen"]
            same(f"{name}, balance after entry {line['entry_id']}", line["balance_after_fen"], balance_fen)
            entries[line["entry_id"]] += line["amount_fen"]
            booked[(name, line["request_no"])] = line["amount_fen"]
        same(f"{name}, balance", account["balance_fen"], balance_fen)
    for entry_id, sum_fen in entries.items():
        same(f"sum of entry {entry_id}", sum_fen, 0)
    escrow, payee = f"{contract.owner_no}/escrow:{contract.order_no}", f"{contract.contractor_no}/withdrawable"
    for number, (net_fen, fee_fen) in nets.items():
        release = f"{contract.order_no}:M{number}:release:1"
        same(f"M{number} out of escrow", booked.get((escrow, release)), -contract.gross_fen[number - 1])
        same(f"M{number} to the contractor", booked.get((payee, release), 0), net_fen)
        same(f"M{number} commission", booked.get(("fees", release), 0), fee_fen)
        withdrawal_no = f"{contract.order_no}:M{number}:withdrawal:1" if contract.withdraws_itself else f"W-{number}"
        same(f"withdrawal of M{number}", withdrawals.get(withdrawal_no, {}).get("principal_fen", 0), net_fen)
    same("number of withdrawals", len(withdrawals), len(paid_out))

    # From the movements: the statements as printed.
    for statement in statements:
        moved: defaultdict[int, int] = defaultdict(int)
        for account in statement["accounts"]:
            for line in account["lines"]:
                moved[line["entry_id"]] += line["amount_fen"]
        same(f"{statement['title']}, in", statement["in_fen"], sum(fen for fen in moved.values() if fen > 0))
        same(f"{statement['title']}, out", statement["out_fen"], -sum(fen for fen in moved.values() if fen < 0))
        same(f"{statement['title']}, closing", statement["closing_fen"], sum(moved.values()))

    # From both: what is left where, and what the bank must show.
    paid_in_fen = sum(line["amount_fen"] for line in page["bank_lines"] if line["kind"] == "inbound")
    own_pay_in_fen = paid_in_fen - contract.price_fen
    left_fen = own_pay_in_fen + commission_fen - sum(charges.values())
    own_fen, unpaid_fen = max(left_fen, 0), max(-left_fen, 0)
    balances = {name: account["balance_fen"] for name, account in accounts.items() if account["balance_fen"]}
    expected = {"own": own_fen, "bank_charges": -unpaid_fen, "custody": -left_fen}
    same("what is left on accounts", balances, {name: fen for name, fen in expected.items() if fen})
    bank_fen = 0
    for line in page["bank_lines"]:
        bank_fen += line["amount_fen"]
        same(f"the bank's balance after line {line['line_no']}", line["balance_after_fen"], bank_fen)
    at_bank = sorted(line["amount_fen"] for line in page["bank_lines"])
    own_pay_in = [own_pay_in_fen] if own_pay_in_fen else []
    debits = [-net for net in paid_out.values()] + [-charge for charge in charges.values() if charge]
    same("the bank's lines", at_bank, sorted([contract.price_fen, *own_pay_in, *debits]))
    same("the bank's balance", page["bank_balance_fen"], paid_in_fen + sum(debits))
    same("the bank's balance and ours", page["bank_balance_fen"], left_fen)
    return found + _wrong_checks(contract, page, commission_fen, own_fen, unpaid_fen)


def _wrong_checks(
    contract: Contract,
    page: dict,
    commission_fen: int,
    own_fen: int,
    unpaid_fen: int,  # type: ignore[type-arg]  # JSON
) -> list[str]:
    figures = {key: value for check in page["checks"] for key, value in check["figures"].items()}
    custody_fen = own_fen - unpaid_fen
    expected = {
        "paid": contract.price_fen,
        "released": contract.price_fen - commission_fen,
        "commission": commission_fen,
        "refunded": 0,
        "held": 0,
        "sub-accounts": own_fen,
        "custody": custody_fen,
        "bank charges": unpaid_fen,
        "bank": custody_fen,
        "bank - custody": 0,
        "lines": sum(len(a["lines"]) for statement in page["statements"] for a in statement["accounts"]),
    }
    wrong = [f"{name}: shown {figures.get(name)}, computed {fen}" for name, fen in expected.items()
             if figures.get(name) != fen]  # fmt: skip
    return wrong + [problem for check in page["checks"] for problem in check["problems"]]


def _charge_fen(rail: str, principal_fen: int) -> int:
    if rail in RAIL_CHARGES:
        return RAIL_CHARGES[rail]
    for up_to_yuan, charge_fen in TARIFF:
        if principal_fen <= up_to_yuan * 100:
            return charge_fen
    # 0.002 %, to the fen by the bank's own rounding, at most 200.00
    return min(int(Fraction(principal_fen, 50_000) + Fraction(1, 2)), 20_000)


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
    found = wrong_figures(contract, json.loads(Path(page_path).read_text(encoding="utf-8")))
    print("\n".join(found) or "every figure recomputed, all the same")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
