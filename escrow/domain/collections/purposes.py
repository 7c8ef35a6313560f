"""What is collected for: a member's sub-account, one order, or a batch of orders. Three kinds, three types."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class _Purpose(BaseModel):
    """Base: immutable. `member_no` is who is credited, or pays."""

    model_config = ConfigDict(frozen=True)

    member_no: str


class TopUp(_Purpose):
    """A member's sub-account is credited, on its consent to just this."""

    consent_no: str
    consent_hash: str


class DirectPayment(_Purpose):
    """The price of one order is frozen for it, on its owner's consent to pay so."""

    order_no: str
    consent_no: str


class BatchCollection(_Purpose):
    """The total of a batch is frozen for its orders."""

    batch_no: str


Purpose = TopUp | DirectPayment | BatchCollection


def purpose_of(body: Mapping[str, Any], default_consent_no: str, default_hash: str) -> Purpose:
    """The purpose as the books have it.

    Args:
        default_consent_no, default_hash: of a top-up of the first release, which did not keep them.
    """
    member_no = body["member_no"]
    if body.get("batch_no"):
        return BatchCollection(member_no=member_no, batch_no=body["batch_no"])
    if body.get("order_no"):
        return DirectPayment(
            member_no=member_no, order_no=body["order_no"], consent_no=body.get("consent_no") or default_consent_no
        )
    return TopUp(
        member_no=member_no,
        consent_no=body.get("consent_no") or default_consent_no,
        consent_hash=body.get("consent_hash") or default_hash,
    )


def document_of(purpose: Purpose) -> dict[str, str]:
    """Its form in the books; numbers that it does not have are empty there."""
    return {"order_no": "", "batch_no": ""} | purpose.model_dump(mode="json")
