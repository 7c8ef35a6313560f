"""Payloads of mandates: numbers only; what was signed stays in the books."""

from workflows.messages import Message

#: Name of the signal by which a mandate is told that the books changed.
MANDATE_CHANGED = "changed"


class MandateInput(Message):
    """Starts what looks after a mandate that stands in the books."""

    platform_no: str
    mandate_no: str


def mandate_workflow_id(platform_no: str, mandate_no: str) -> str:
    """Id of the workflow of one mandate."""
    return f"mandate/{platform_no}/{mandate_no}"
