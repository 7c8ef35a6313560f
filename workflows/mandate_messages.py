"""Payloads of mandates: numbers only; what was signed stays in the books."""

from pydantic import Field

from workflows.messages import Message

#: Name of the signal by which a mandate is told that the books changed.
MANDATE_CHANGED = "changed"


class MandateInput(Message):
    """Starts what looks after a mandate that stands in the books; `continue_after_events` bounds one run."""

    platform_no: str
    mandate_no: str
    continue_after_events: int = Field(default=8_000, ge=10)


def mandate_workflow_id(platform_no: str, mandate_no: str) -> str:
    """Id of the workflow of one mandate."""
    return f"mandate/{platform_no}/{mandate_no}"
