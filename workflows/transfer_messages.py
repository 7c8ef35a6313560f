"""Payloads of transfers that are one step."""

from pydantic import BaseModel, ConfigDict, Field

from escrow.domain.transfers.moves import TransferKind
from workflows.messages import Message, NotedMessage


class TransferInput(Message):
    """Starts a transfer of `amount_fen`.

    Args:
        subject_no: payee of a payment (empty: the platform), suspense credit of an assignment, or assignment of a
            reversal.
        member_no: who pays, is given to, or gives back.
        consent_no: number of the recorded consent: the payer's, or the platform's.
    """

    platform_no: str
    kind: TransferKind
    transfer_no: str
    subject_no: str
    member_no: str
    amount_fen: int = Field(gt=0)
    consent_no: str


class TransferState(BaseModel):
    """What operators see of a transfer."""

    model_config = ConfigDict(extra="forbid")

    attention: str = ""
    noted: list[NotedMessage] = []


def transfer_workflow_id(platform_no: str, kind: TransferKind, transfer_no: str) -> str:
    """Id of the workflow of one transfer."""
    return f"{kind}/{platform_no}/{transfer_no}"
