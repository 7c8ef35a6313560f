"""Who holds a card that is to be debited: told by the identity check, never by whoever asks."""

from dataclasses import dataclass

from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.members.identity_checks import IdentityChecks
from escrow.registry.members.members import Members


@dataclass(frozen=True, slots=True, kw_only=True)
class CardHolder:
    """A card and its holder in the clear: never log or store one elsewhere."""

    card_no: str
    name: str
    citizen_id: str
    mobile: str


class CardHolders:
    """Finds the holders of members' bound cards.

    Args:
        members: whose cards they are.
        accounts: the bound cards.
        identities: who a member is.
    """

    def __init__(self, members: Members, accounts: BankAccounts, identities: IdentityChecks) -> None:
        self._members = members
        self._accounts = accounts
        self._identities = identities

    async def holder_of(self, platform_no: str, member_no: str, account_id: str) -> CardHolder:
        """Who pays when a bound card of a member is debited; of a sole trader its operator.

        Raises:
            Refused: `not_found` (member), `member_state`, `account_not_bound`, `card_required` for an
                account of a business, `identity_required`, or `no_mobile`.
        """
        member = await self._members.get(platform_no, member_no)
        require_may(member.status, Permission.PAY, member_no=member_no)
        account = await self._accounts.to_pay(platform_no, member_no, account_id)
        if account.is_corporate:
            raise Refused("card_required", "Only cards of persons and sole traders can be debited.")
        name, citizen_id = await self._identities.person_behind(member)
        if member.mobile is None:
            raise Refused("no_mobile", f"Member {member_no} has no mobile number for SMS codes.")
        return CardHolder(card_no=account.account_no, name=name, citizen_id=citizen_id, mobile=member.mobile)
