"""Payloads of batch payments. They hold references, never names, account numbers or mobiles."""

from escrow.domain.collections.batch_payments import BatchStatus
from escrow.domain.collections.view import BatchView
from escrow.domain.documents import OptionalText
from workflows.messages import Message, NotedMessage


class BatchProcessState(Message):
    """What a batch's process has seen: the answer to the query `state`; `batch` is None before it is entered."""

    batch: BatchView | None
    attention: str | None
    noted: tuple[NotedMessage, ...]


class BatchPaymentOutcome(Message):
    """How a batch ended, in fen; `status` is `refused` when a rule said no before anything moved."""

    batch_no: str
    status: BatchStatus
    frozen_fen: int
    reason: OptionalText = None
