"""Contract files for the demo: random ones, written as a person would."""

import random
from fractions import Fraction

_BANKS = (
    ("中国工商银行", "102100099996"),
    ("中国建设银行", "105100000017"),
    ("招商银行", "308584000013"),
    ("平安银行", "307584007998"),
)
#: First six digits of cards that UnionPay checks, of other cards, and of cards that it checks for nobody.
_CARD_PREFIXES = ("622202", "622848", "622588", "621626", "622630")
#: Amounts that mean misfortune to the sandbox end like this, in fen.
_MAGIC = range(90_001, 90_100)


def random_contract(seed: int) -> str:
    """A contract file that the demo can live through in a minute; the same seed gives the same file.

    Prices, plans, commissions, kinds of members, banks and periods differ; no payout is a magic amount of the sandbox.
    """
    chance = random.Random(seed)
    while True:
        price_fen = round(10 ** chance.uniform(5, 8.3))
        commission = Fraction(chance.choice([0, 100, 325, 500, 875]), 10_000)
        kinds = ["at start"] * chance.randint(0, 1)
        kinds += ["on acceptance"] * chance.randint(1, 4)
        kinds += ["after warranty"] * chance.randint(0, 1)
        amounts_fen = _cut(chance, price_fen, len(kinds))
        design_fen = chance.choice([0, round(10 ** chance.uniform(4, 6.5)), round(10 ** chance.uniform(4, 6.5))])
        told_to_bank_fen = [design_fen, *_nets_fen([design_fen], commission), *_nets_fen(amounts_fen, commission)]
        if not any(fen % 100_000 in _MAGIC for fen in told_to_bank_fen):
            break
    owner_no, contractor_no, order_no = (f"{letter}.{chance.randint(1, 9999)}" for letter in "OCD")
    lines = [
        "platform:",
        "  number: RANDOM",
        "  name: 随机家装平台",
        f"  commission: {_percent(commission)}%",
        "members:",
    ]
    lines += _member(chance, owner_no, "张业主") + _member(chance, contractor_no, "李师傅装修")
    if design_fen:
        lines += ["design:", f"  number: {order_no}-design", f'  price: "{_yuan(design_fen)}"']
    lines += ["order:", f"  number: {order_no}", f"  owner: {owner_no}", f"  contractor: {contractor_no}"]
    lines += [f'  price: "{_yuan(price_fen)}"', f"  withdraw automatically: {chance.choice(['yes', 'no'])}"]
    lines += [f"  inspection days: {chance.randint(2, 20)}", f"  retention days: {chance.randint(30, 120)}"]
    lines.append("  milestones:")
    for number, (kind, amount_fen) in enumerate(zip(kinds, amounts_fen, strict=True), start=1):
        lines += [f"    - name: 第{number}期", f"      released: {kind}", f'      amount: "{_yuan(amount_fen)}"']
    return "\n".join(lines) + "\n"


def _cut(chance: random.Random, price_fen: int, parts: int) -> list[int]:
    """Parts of the price, none below a hundredth of it."""
    weights = [chance.randint(10, 100) for _ in range(parts)]
    amounts_fen = [price_fen * weight // sum(weights) for weight in weights]
    amounts_fen[-1] += price_fen - sum(amounts_fen)
    return amounts_fen


def _nets_fen(amounts_fen: list[int], commission: Fraction) -> list[int]:
    nets_fen, released_fen, taken_fen = [], 0, 0
    for amount_fen in amounts_fen:
        released_fen += amount_fen
        nets_fen.append(amount_fen - int(commission * released_fen) + taken_fen)
        taken_fen = int(commission * released_fen)
    return nets_fen


def _member(chance: random.Random, number: str, name: str) -> list[str]:
    kind = chance.choice(["person", "sole trader", "company"])
    bank, cnaps = chance.choice(_BANKS)
    account_no = _card(chance) if kind != "company" else "".join(chance.choices("123456789", k=chance.randint(9, 20)))
    lines = [f"  - number: {number}", f"    kind: {kind}", f"    name: {name}"]
    lines += [f'    mobile: "139{chance.randint(0, 99_999_999):08d}"']
    if kind == "person" and chance.random() < 0.8:
        lines.append(f'    id number: "{_citizen_id(chance)}"')
    lines.append("    bank account:")
    return [*lines, f'      number: "{account_no}"', f"      bank: {bank}", f'      cnaps: "{cnaps}"']


def _card(chance: random.Random) -> str:
    """A UnionPay card number of 16 to 19 digits with its Luhn digit, not ending like those that mean misfortune."""
    while True:
        prefix = [int(digit) for digit in chance.choice(_CARD_PREFIXES)]
        digits = [*prefix, *(chance.randint(0, 9) for _ in range(chance.randint(9, 12)))]
        doubled = [digit if place % 2 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
        number = "".join(map(str, [*digits, -sum(doubled) % 10]))
        if number[-4:-2] != "90":
            return number


def _citizen_id(chance: random.Random) -> str:
    """An ID number with its check digit (ISO 7064 MOD 11-2), not one that means misfortune to the register."""
    born = f"{chance.randint(1950, 2005)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
    stem = f"110105{born}{chance.randint(1, 899):03d}"
    weights = [2**power % 11 for power in range(17, 0, -1)]
    rest = (1 - sum(int(digit) * weight for digit, weight in zip(stem, weights, strict=True))) % 11
    return stem + "0123456789X"[rest]


def _yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100:,}.{amount_fen % 100:02d}"


def _percent(ratio: Fraction) -> str:
    hundredths = ratio * 10_000
    return f"{hundredths.numerator // 100}.{hundredths.numerator % 100:02d}"
