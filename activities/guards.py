"""What an activity checks before it moves money: that it acts for the process it claims, and for what was signed.

Whoever can write to Temporal can start a workflow with an invented input. Consents and deadlines are checked by
the ledger itself; these checks bind the rest of an input to what the books say.
"""

from temporalio import activity

from escrow.domain.errors import Refused


def require_own_workflow(*, platform_no: str, object_kind: str, object_no: str) -> None:
    """Only the one workflow of an object, known by its id, may move the object's money.

    Raises:
        Refused: `wrong_workflow`.
    """
    expected = f"{object_kind}/{platform_no}/{object_no}"
    if activity.info().workflow_id != expected:
        raise Refused("wrong_workflow", f"Only the workflow {expected} may do this.")
