"""What the holder of an account does in a verification: numbers only; what was typed stays in the ledger."""

from pydantic import Field

from escrow.domain.requests import PLATFORM_NUMBER_PATTERN
from workflows.messages import Message


class SendAgain(Message):
    """Asks for another micro-deposit or code; the same request sends once."""

    request_no: str = Field(pattern=PLATFORM_NUMBER_PATTERN)


class Try(Message):
    """Names a stored try of an amount or code."""

    number: int = Field(ge=1)
