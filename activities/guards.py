"""What an activity checks before it moves money: that it acts for the process it claims, and for what was signed.

Whoever can write to Temporal can start a workflow with an invented input. Consents and deadlines are checked by
the ledger itself; these checks bind the rest of an input to what the books say.
"""

from temporalio import activity

from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.money.journal import Basis
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.registry.members.members import Members


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


async def require_parties(members: Members, platform_no: str, *, owner_no: str, payee_no: str) -> None:
    """Whoever began to close since the order was opened neither pays nor is paid.

    Args:
        payee_no: empty when the platform itself is paid.

    Raises:
        Refused: `member_state`.
    """
    parties = {owner_no: Permission.PAY, **({payee_no: Permission.RECEIVE} if payee_no else {})}
    statuses = await members.statuses(platform_no, *parties)
    for member_no, permission in parties.items():
        require_may(statuses[member_no], permission, member_no=member_no)
