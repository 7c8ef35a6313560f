"""Verifications of bank accounts: what was asked, to whom something is sent for it, and how each ended.

Whoever is asked about, and what was typed, is sealed here and nowhere else; events tell states and reasons.
"""

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.members.verification import CONFIRM, VERIFICATIONS, Ask, Command, Verification
from escrow.domain.members.verification_rules import VerificationMethod, VerificationStatus
from escrow.domain.money.journal import Basis, Posting
from escrow.ledger.books import Taken
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import one_at_a_time
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.accounts.rows import BankAccount, BankAccountDrawer
from escrow.registry.accounts.verification_rows import AccountVerification, verification_lock, verification_of
from escrow.registry.deciding import Beside, RegistryBooks
from escrow.registry.members.identity_checks import IdentityChecks, require_verified
from escrow.registry.members.members import Member, MemberKind, Members
from escrow.registry.tables import AccountVerificationRow, BankAccountRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """To whom something is sent, in the clear: never log or store one elsewhere."""

    account: BankAccount
    name: str
    citizen_id: str
    mobile: str


class AccountVerifications:
    """Keeps verifications.

    Args:
        recorder: the ledger's connections.
        box: seals and opens personal data.
        members: whose accounts they are.
        accounts: what is verified.
        identities: who a member is, and the mobile of a company's agent.
    """

    def __init__(
        self,
        recorder: Recorder,
        box: PersonalDataBox,
        members: Members,
        accounts: BankAccounts,
        identities: IdentityChecks,
    ) -> None:
        self._recorder = recorder
        self._books = RegistryBooks(recorder)
        self._box = box
        self._members = members
        self._accounts = accounts
        self._identities = identities

    def fingerprint(self, platform_no: str, mobile: str) -> str:
        """Keyed digest of a mobile, by which a consent and a repeat name it without personal data."""
        return self._box.blind_index(mobile, field=f"{platform_no}/verification_mobile").hex()

    async def ask(
        self,
        platform_no: str,
        member_no: str,
        account_id: str,
        verification_no: str,
        method: VerificationMethod,
        *,
        mobile: str,
        consent: Basis,
    ) -> tuple[AccountVerification, bool]:
        """Keep a wish to have an account verified; the flag says whether it is new.

        Args:
            mobile: the one that the card's bank knows, for a UnionPay check; empty for a micro-deposit.
            consent: the recorded consent of the member.

        Raises:
            Refused: `not_found`, `account_not_bound`, `account_verified`, `member_state`, `identity_required`,
                `no_mobile`, `unionpay_persons_only`, `request_no_reused`, or the consent does not hold.
        """
        known = await self._find(platform_no, verification_no)
        if known is not None:
            return verification_of(known), False
        member = await self._members.get(platform_no, member_no)
        account = await self._accounts.get(platform_no, member_no, account_id)
        require_may(member.status, Permission.BIND_ACCOUNT, member_no=member_no)
        if not account.is_bound:
            raise Refused("account_not_bound", f"There is no bound account {account_id}.", {"account_id": account_id})
        if account.verification != "none":
            raise Refused("account_verified", f"Account {account_id} is verified already.")
        mobile = await self._mobile(member, account, method, mobile)
        ask = Ask(consent=consent, member_no=member_no, account_id=account_id, method=method)

        async def keep(session: AsyncSession, posting: Posting) -> None:
            session.add(
                AccountVerificationRow(
                    platform_no=platform_no,
                    verification_no=verification_no,
                    member_no=member_no,
                    account_id=account_id,
                    account_no_index=BankAccountDrawer(self._box).index(platform_no, account.account_no),
                    method=method.value,
                    mobile_sealed=self._box.seal(mobile, place=_place(platform_no, verification_no)),
                    status=posting.changes[0].status,
                    reason="",
                    asked_at=await books_now_within(session, platform_no),
                )
            )

        taken = await self.take(platform_no, verification_no, ask, beside=keep)
        if taken.refusal is not None:
            raise taken.refusal
        return await self.get(platform_no, verification_no), not taken.is_repeat

    async def get(self, platform_no: str, verification_no: str) -> AccountVerification:
        """Return one verification.

        Raises:
            Refused: `not_found`.
        """
        row = await self._find(platform_no, verification_no)
        if row is None:
            raise _not_found(verification_no)
        return verification_of(row)

    async def of_account(
        self, platform_no: str, member_no: str, account_id: str, verification_no: str
    ) -> AccountVerification:
        """Return one verification of one account of a member; raises as `get`."""
        found = await self.get(platform_no, verification_no)
        if (found.member_no, found.account_id) != (member_no, account_id):
            raise _not_found(verification_no)
        return found

    async def addressee(self, platform_no: str, verification_no: str) -> Addressee:
        """To whom the verification's deposit or code goes.

        Raises:
            Refused: `not_found`, or `identity_required` when a member is no longer verified.
        """
        row = await self._find(platform_no, verification_no)
        if row is None:
            raise _not_found(verification_no)
        account = await self._accounts.get(platform_no, row.member_no, row.account_id)
        name, citizen_id = account.account_name, ""
        if row.method == VerificationMethod.UNIONPAY:
            name, citizen_id = await self._identities.person_behind(await self._members.get(platform_no, row.member_no))
        mobile = self._box.open(row.mobile_sealed, place=_place(platform_no, verification_no))
        return Addressee(account=account, name=name, citizen_id=citizen_id, mobile=mobile)

    async def take(
        self, platform_no: str, verification_no: str, command: Ask | Command, *, beside: Beside | None = None
    ) -> Taken[Verification]:
        """Have the books decide what a command does; verification and account are kept as they say it.

        Raises:
            LedgerBusy, LedgerUnavailable: repeat.
        """

        async def keep(session: AsyncSession, posting: Posting) -> None:
            if beside is not None:
                await beside(session, posting)
                await session.flush()
            row = await session.get_one(AccountVerificationRow, (platform_no, verification_no), populate_existing=True)
            change = posting.changes[0]
            row.status, row.reason = change.status, change.body.get("reason", "")
            for deadline in posting.deadlines:
                if deadline.name == CONFIRM and deadline.due_at is not None:
                    row.expires_at = deadline.due_at
            if change.status == VerificationStatus.VERIFIED:
                account = await session.get_one(BankAccountRow, (platform_no, row.account_id))
                account.verification = row.method

        lock = verification_lock(platform_no, verification_no)
        return await self._books.take(VERIFICATIONS, platform_no, verification_no, command, lock=lock, beside=keep)

    async def locked(self, session: AsyncSession, platform_no: str, verification_no: str) -> AccountVerificationRow:
        """The verification as it stands, kept from changing until the transaction ends; raises as `get`."""
        await one_at_a_time(session, verification_lock(platform_no, verification_no))
        row = await self._row(session, platform_no, verification_no)
        if row is None:
            raise _not_found(verification_no)
        return row

    async def _row(
        self, session: AsyncSession, platform_no: str, verification_no: str
    ) -> AccountVerificationRow | None:
        return await session.get(AccountVerificationRow, (platform_no, verification_no), populate_existing=True)

    async def _find(self, platform_no: str, verification_no: str) -> AccountVerificationRow | None:
        async with self._recorder.session() as session:
            return await self._row(session, platform_no, verification_no)

    async def _mobile(self, member: Member, account: BankAccount, method: VerificationMethod, mobile: str) -> str:
        """Where the reference or code goes."""
        if method is VerificationMethod.UNIONPAY:
            if member.kind is MemberKind.COMPANY or account.is_corporate:
                raise Refused("unionpay_persons_only", "UnionPay checks cards of persons and sole traders only.")
            await self._identities.person_behind(member)
            return mobile
        if member.kind is MemberKind.COMPANY:
            require_verified(member)
        agent = await self._identities.agent_mobile(member.platform_no, member.member_no)
        found = agent if member.kind is MemberKind.COMPANY else (member.mobile or agent)
        if not found:
            whose = "its agent" if member.kind is MemberKind.COMPANY else "the member"
            raise Refused("no_mobile", f"The mobile of {whose} is not known, so nothing can be sent there.")
        return found


def _place(platform_no: str, verification_no: str) -> str:
    return f"{platform_no}/account_verification/{verification_no}/mobile"


def _not_found(verification_no: str) -> Refused:
    return Refused("not_found", f"There is no account verification {verification_no}.")
