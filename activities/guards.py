"""What an activity checks before it moves money: that it acts for the process it claims, and for what was signed.

Whoever can write to Temporal can start a workflow with an invented input. Consents and deadlines are checked by
the ledger itself; these checks bind the rest of an input to what the books say.
"""

from typing import Any

from temporalio import activity

from escrow.domain.accounts import payout
from escrow.domain.errors import Refused
from escrow.domain.journal import Basis
from escrow.domain.platform_config import PlatformConfig
from escrow.domain.requests import derived
from escrow.ledger.balances import account_balance_fen
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object


def require_own_workflow(*, platform_no: str, object_kind: str, object_no: str) -> None:
    """Only the one workflow of an object, known by its id, may move the object's money.

    Raises:
        Refused: `wrong_workflow`.
    """
    expected = f"{object_kind}/{platform_no}/{object_no}"
    if activity.info().workflow_id != expected:
        raise Refused("wrong_workflow", f"Only the workflow {expected} may do this.")


async def require_entered(reader: Reader, *, platform_no: str, object_kind: str, object_no: str) -> None:
    """What is recorded about an object without a basis must be about one that the books know.

    Raises:
        Refused: `not_found`.
    """
    if await get_object(reader, platform_no, object_kind, object_no) is None:
        raise Refused("not_found", f"There is no {object_kind} {object_no}.")


async def require_consent(reader: Reader, *, platform_no: str, basis: Basis) -> None:
    """What is only recorded now, and stands on its consent later, needs a consent that holds now.

    Raises:
        Refused: `basis_missing`, `basis_void`, `basis_used` or `basis_mismatch`.
    """
    consent = await get_consent(reader, platform_no, basis.reference)
    code = ""
    if consent is None:
        code = "basis_missing"
    elif consent.voided_at is not None:
        code = "basis_void"
    elif consent.used_by is not None:
        code = "basis_used"
    elif consent.operation_hash != basis.operation_hash:
        code = "basis_mismatch"
    if code:
        raise Refused(code, f"This has no basis that holds (consent {basis.reference}).")


async def require_signed(
    reader: Reader, *, platform_no: str, order_no: str, terms: dict[str, Any], milestone: dict[str, Any] | None = None
) -> None:
    """The contract in the books must say what the request says.

    Args:
        terms: top-level fields of the contract with the values that the request relies on.
        milestone: fields of one milestone, named by its `number`.

    Raises:
        Refused: `contract_differs`, or `not_found` when the order was never opened.
    """
    contract = await _contract(reader, platform_no, order_no)
    signed = [item for item in contract["milestones"] if milestone is None or item["number"] == milestone["number"]]
    differs = {name for name, value in terms.items() if contract.get(name) != value}
    if milestone is not None:
        differs |= {name for name, value in milestone.items() if not signed or signed[0].get(name) != value}
    if differs:
        raise Refused(
            "contract_differs",
            f"The contract of {order_no} in the books says otherwise about: {', '.join(sorted(differs))}.",
        )


async def require_standing_order(
    reader: Reader, *, platform_no: str, order_no: str, released_as: str, fee_fen: int, config_version: int
) -> None:
    """A withdrawal that follows a release needs an order that says so, and exactly one of its releases.

    Args:
        config_version: the configuration that the withdrawal claims to follow; 0 for the newest, which anyone may.

    Raises:
        Refused: `contract_differs`.
    """
    terms: dict[str, Any] = {"withdraw_automatically": True, "withdrawal_fee_fen": fee_fen}
    if config_version:
        terms["config_version"] = config_version
    await require_signed(reader, platform_no=platform_no, order_no=order_no, terms=terms)
    if not released_as.startswith(derived(order_no, "")):
        raise Refused("contract_differs", f"{released_as} is no release of {order_no}.")


def require_fee(*, config: PlatformConfig, fee_fen: int) -> None:
    """The fee of a withdrawal is the platform's, not the request's.

    Raises:
        Refused: `fee_differs`; the fee was changed since the request was made.
    """
    if fee_fen != config.withdrawal_fee_fen:
        raise Refused("fee_differs", "The platform's withdrawal fee is another by now; ask under a new number.")


async def require_in_transit(
    reader: Reader, *, platform_no: str, member_no: str, withdrawal_no: str, amount_fen: int
) -> None:
    """Before a payment order leaves, its money must be held in transit for exactly this withdrawal.

    Raises:
        Refused: `not_in_transit`; nothing was sent.
    """
    held_fen = await account_balance_fen(reader, payout(platform_no, member_no, withdrawal_no))
    if held_fen < amount_fen:
        raise Refused("not_in_transit", f"No money is held in transit for {withdrawal_no}; nothing was sent.")


async def _contract(reader: Reader, platform_no: str, order_no: str) -> dict[str, Any]:
    stored = await get_object(reader, platform_no, "order", order_no)
    if stored is None:
        raise Refused("not_found", f"There is no order {order_no}.")
    contract: dict[str, Any] = stored.body["contract"]
    return contract
