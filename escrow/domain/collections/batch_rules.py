"""What configurations say of a batch: it is no way around what paying one of its orders alone would need."""

from collections.abc import Iterable, Sequence

from escrow.domain.collections.batch_payments import PaidBy
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function, require_limit, strictest


def require_allowed(config: PlatformConfig, under: Iterable[PlatformConfig], paid_by: PaidBy, total_fen: int) -> None:
    """A batch is allowed, and paying each of its orders so is.

    Args:
        config: in force for the batch.
        under: the configurations under which its orders were opened.

    Raises:
        Refused: `function_off` or `limit_exceeded`.
    """
    require_function(config, Function.BATCH_PAYMENT)
    for each in (config, *under):
        require_payable(each, paid_by)
    require_limit(config.limits.batch_payment_fen, total_fen, name="limits.batch_payment_fen")


def require_payable(config: PlatformConfig, paid_by: PaidBy) -> None:
    """Orders may be paid so.

    Raises:
        Refused: `function_off`.
    """
    functions = [Function.BALANCE_PAYMENT]
    if paid_by != "balance":
        functions = [Function.DIRECT_PAYMENT, Function(str(paid_by))]
    for function in functions:
        require_function(config, function)


def authorised_by(
    config: PlatformConfig, under: Sequence[PlatformConfig], paid_by: PaidBy
) -> tuple[PlatformConfig, AuthorisedOperation]:
    """Which configuration says how the owner agrees to a batch, and as what; arguments as of `require_allowed`."""
    single = AuthorisedOperation.PAY if paid_by == "balance" else AuthorisedOperation.DIRECT_PAYMENT
    return strictest([(config, AuthorisedOperation.BATCH_PAYMENT), *((each, single) for each in under)])
