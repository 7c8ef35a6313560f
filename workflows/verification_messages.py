"""Payloads of account verifications: numbers only; whom they are about and what was typed stay in the ledger."""

from pydantic import Field

from escrow.domain.requests import PLATFORM_NUMBER_PATTERN
from workflows.messages import Message


class AccountVerificationInput(Message):
    """Starts a verification that is stored under `verification_no`."""

    platform_no: str
    verification_no: str


class SendAgain(Message):
    """Asks for another micro-deposit or code; the same request sends once."""

    request_no: str = Field(pattern=PLATFORM_NUMBER_PATTERN)


class Try(Message):
    """Names a stored try of an amount or code."""

    number: int = Field(ge=1)


def account_verification_workflow_id(platform_no: str, verification_no: str) -> str:
    """Id of the workflow of one verification."""
    return f"account-verification/{platform_no}/{verification_no}"
