"""Payloads of collections. They hold references and amounts, never names, account numbers or mobiles."""

from pydantic import AwareDatetime, Field

from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.collections.view import CollectionView
from escrow.domain.members.code_checks import CodeCheck
from workflows.messages import Message, NotedMessage


class CollectionProcessState(Message):
    """What a collection's process has seen and tries in vain: the answer to the query `state`.

    Args:
        collection: None while it is not opened.
    """

    collection: CollectionView | None
    attention: str | None
    trouble: str | None
    noted: tuple[NotedMessage, ...]


class CodeTry(Message):
    """Names a stored try of a quick payment's code."""

    number: int = Field(ge=1)


class CodeCompared(Message):
    """How a try compared."""

    outcome: CodeCheck


class CodeSent(Message):
    """Another code was sent."""

    seen_at: AwareDatetime


class CodeWish(Message):
    """Asks for another code."""

    request_no: str


class CollectionOutcome(Message):
    """How a collection ended, in fen: what was credited, and what still waits in suspense.

    Args:
        status: None for one that was not opened.
    """

    pay_in_no: str
    status: CollectionStatus | None
    credited_fen: int
    suspended_fen: int
    reason: str | None = None
