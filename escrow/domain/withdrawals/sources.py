"""Whose money a withdrawal takes: a member's, the platform's own, or what waits in suspense."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from escrow.domain.money import recipes
from escrow.domain.money.journal import JournalEntry
from escrow.domain.transfers.suspense_returns import suspense_payout_failed, suspense_payout_requested


class _Source(BaseModel):
    """Base: immutable."""

    model_config = ConfigDict(frozen=True)

    @property
    def owner_no(self) -> str:
        """Member whose transit account holds it; empty for money that is no member's."""
        return ""

    def held(self, platform_no: str, withdrawal_no: str, amount_fen: int) -> JournalEntry:
        """Principal and fee, together `amount_fen`, go into transit."""
        return recipes.withdrawal_requested(
            platform_no=platform_no, member_no=self.owner_no, withdrawal_no=withdrawal_no, amount_fen=amount_fen
        )

    def given_back(self, platform_no: str, withdrawal_no: str, amount_fen: int) -> JournalEntry:
        """Principal and fee go back to where they came from."""
        return recipes.withdrawal_returned_to_member(
            platform_no=platform_no, member_no=self.owner_no, withdrawal_no=withdrawal_no, amount_fen=amount_fen
        )


class MembersMoney(_Source):
    """A member's money, to one of its bound accounts; `account_id` is None until the money is held for one."""

    member_no: str
    account_id: str | None

    @property
    def owner_no(self) -> str:
        """The member."""
        return self.member_no


class PlatformsMoney(_Source):
    """The platform's own money, to its own account; `account_id` is None until the money is held for it."""

    account_id: str | None


class SuspenseMoney(_Source):
    """Money in suspense that goes back.

    Args:
        credit_no: the credit that brought it.
        cnaps_code: of the payee's branch, empty when nobody told it.
        payee_is_named: two operators named the account; else it is the one that the money came from.
    """

    credit_no: str
    cnaps_code: str
    payee_is_named: bool

    def held(self, platform_no: str, withdrawal_no: str, amount_fen: int) -> JournalEntry:
        """The money goes from suspense into transit."""
        return suspense_payout_requested(
            platform_no=platform_no, credit_no=self.credit_no, return_no=withdrawal_no, amount_fen=amount_fen
        )

    def given_back(self, platform_no: str, withdrawal_no: str, amount_fen: int) -> JournalEntry:
        """The money waits in suspense again."""
        return suspense_payout_failed(
            platform_no=platform_no, credit_no=self.credit_no, return_no=withdrawal_no, amount_fen=amount_fen
        )


Source = MembersMoney | PlatformsMoney | SuspenseMoney


def source_of(body: Mapping[str, Any]) -> Source:
    """The source that a document of the books names; what it has not is an empty text there."""
    if body.get("credit_no"):
        return SuspenseMoney.model_validate({name: body[name] for name in SuspenseMoney.model_fields})
    account_id = body["account_id"] or None
    if body["member_no"]:
        return MembersMoney(member_no=body["member_no"], account_id=account_id)
    return PlatformsMoney(account_id=account_id)


def document_of(source: Source) -> dict[str, Any]:
    """The same in the words of a document."""
    found = {"member_no": source.owner_no, "account_id": "", "credit_no": ""}
    if isinstance(source, SuspenseMoney):
        return found | source.model_dump()
    return found | {"account_id": source.account_id or ""}
