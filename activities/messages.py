"""What activities of several subjects are given and answer: references, and what a rule said."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from escrow.domain.errors import Refused


class Message(BaseModel):
    """Base of what passes through Temporal: a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class RefusalView(Message):
    """Why a rule says no."""

    code: str
    message: str
    details: dict[str, Any]

    @classmethod
    def of(cls, refusal: Refused | None) -> Self | None:
        """A refusal of the books, or none."""
        if refusal is None:
            return None
        return cls(code=refusal.code, message=refusal.message, details=refusal.details)
