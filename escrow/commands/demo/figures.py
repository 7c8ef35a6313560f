"""What follows from a contract file alone: how each milestone is split, and whether that covers the bank's charges."""

from datetime import date

from escrow.commands.contract_file import ContractFile
from escrow.domain.orders.splits import Split, split
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.tariff import tariff_on

#: No method of the bank charges more than this part of what it collects.
_LARGEST_CHANNEL_FEE_PART = 100
#: What the bank charges at most for one payment (its tariff ends at 200.00).
_LARGEST_CHARGE_FEN = 20_000
#: A contract that names no period has the platform's, and the demo's platform has the defaults.
DEFAULTS = PlatformConfig()


def splits_of(contract: ContractFile) -> dict[int, Split]:
    """How each milestone is split between contractor and commission, by its number."""
    splits: dict[int, Split] = {}
    for milestone in contract.order.milestones:
        splits[milestone.no] = split(
            gross_fen=milestone.amount_fen,
            released_before_fen=sum(before.gross_fen for before in splits.values()),
            commission_before_fen=sum(before.commission_fen for before in splits.values()),
            rate=contract.platform.commission_basis_points,
        )
    return splits


def design_split(contract: ContractFile) -> Split | None:
    """How the price of the design is split, where the contract has one."""
    if contract.design is None:
        return None
    return split(
        gross_fen=contract.design.price_fen,
        released_before_fen=0,
        commission_before_fen=0,
        rate=contract.platform.commission_basis_points,
    )


def needs_own_money(contract: ContractFile, on: date) -> bool:
    """Whether commission may at some release fall short of the bank's charges until then, by the tariff of a day."""
    design = design_split(contract)
    parts = [*([design] if design else []), *splits_of(contract).values()]
    left_fen = -_largest_channel_fee_fen(contract)
    tariff = tariff_on(on)
    for part in parts:
        left_fen += part.commission_fen
        if part.net_fen > 0:
            left_fen -= max(tariff.fee_fen(rail, part.net_fen) for rail in Rail)
        if left_fen < 0:
            return True
    return False


def enough_own_money_fen(contract: ContractFile) -> int:
    """What covers all that the bank may charge, in fen."""
    payouts = len(contract.order.milestones) + (contract.design is not None)
    return _LARGEST_CHARGE_FEN * payouts + _largest_channel_fee_fen(contract)


def _largest_channel_fee_fen(contract: ContractFile) -> int:
    return 0 if contract.design is None else -(-contract.design.price_fen // _LARGEST_CHANNEL_FEE_PART)


def told_in_full(contract: ContractFile) -> int:
    """The milestone whose withdrawal is told in full: the first that is announced by SMS, else the largest."""
    nets = {number: part.net_fen for number, part in splits_of(contract).items()}
    large = [number for number, net_fen in nets.items() if net_fen > DEFAULTS.large_withdrawal_sms_threshold_fen]
    return large[0] if large else max(nets, key=lambda number: nets[number])
