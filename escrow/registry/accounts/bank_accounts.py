"""Bank accounts bound to members: where withdrawals go and where recognised transfers come from."""

import json
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.domain.requests import derived
from escrow.ledger.books_time import books_now, books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import one_at_a_time, post_within, run, transaction
from escrow.registry.accounts.rows import BankAccount, BankAccountDrawer, NewBankAccount, check_numbers, vouched_by
from escrow.registry.members.members import Members, same_name
from escrow.registry.tables import BankAccountRow


class BankAccounts:
    """Binds, unbinds and finds bank accounts.

    Args:
        recorder: the ledger's connections.
        box: seals and opens personal data.
        members: whose names the accounts must bear.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox, members: Members) -> None:
        self._recorder = recorder
        self._box = box
        self._drawer = BankAccountDrawer(box)
        self._members = members

    async def bind(
        self, platform_no: str, member_no: str, account: NewBankAccount, *, consent: Basis | None = None
    ) -> tuple[BankAccount, bool]:
        """Bind an account to a member under the member's own name; the flag says whether it is new.

        Args:
            consent: the member's own, where it authorised exactly this; None where the platform vouches.

        Raises:
            Refused: `not_found` (member), `account_name_differs`, `account_no_invalid`, `cnaps_code_invalid`,
                `account_already_bound`, `request_no_reused`, `member_state`, or the consent does not hold.
        """
        member = await self._members.get(platform_no, member_no)
        require_may(member.status, Permission.BIND_ACCOUNT, member_no=member_no)
        return await self.bind_under_name(platform_no, member_no, member.name, account, consent=consent)

    async def require_bindable(self, platform_no: str, member_no: str, account: NewBankAccount) -> None:
        """Refuse what could not be bound now, before anybody is asked to authorise it.

        Raises:
            Refused: as `bind`.
        """
        member = await self._members.get(platform_no, member_no)
        require_may(member.status, Permission.BIND_ACCOUNT, member_no=member_no)
        _require_own(account, member.name)
        if await self.holder_of(platform_no, account.account_no) is not None:
            raise _already_bound()

    async def is_known(self, platform_no: str, account_id: str) -> bool:
        """Whether this number names an account that is or was bound."""
        async with self._recorder.session() as session:
            return await session.get(BankAccountRow, (platform_no, account_id)) is not None

    async def bind_under_name(
        self,
        platform_no: str,
        member_no: str,
        holder_name: str,
        account: NewBankAccount,
        *,
        consent: Basis | None = None,
    ) -> tuple[BankAccount, bool]:
        """Bind an account whose holder is known by name; `member_no` empty for the platform's own account.

        Raises:
            Refused: as `bind`.
        """
        _require_own(account, holder_name)
        now = await books_now(self._recorder, platform_no)
        try:
            async with transaction(self._recorder) as session:
                await one_at_a_time(session, _holder(platform_no, member_no))
                default = await self._default_row(session, platform_no, member_no)
                ends = default if account.make_default else None
                is_default = account.make_default or default is None
                binding = self._binding(platform_no, member_no, account, is_default=is_default, now=now, ends=ends)
                receipt = await post_within(session, replace(binding, bases=_bases(consent)))
                if not receipt.repeated:
                    if ends is not None:
                        ends.is_default = False
                        await session.flush()
                    session.add(self._drawer.sealed(platform_no, member_no, account, is_default=is_default, now=now))
        except IntegrityError as error:
            if "bank_account_bound_once" not in str(error.orig):
                raise
            raise _already_bound() from error
        return await self.get(platform_no, member_no, account.account_id), not receipt.repeated

    async def unbind(
        self, platform_no: str, member_no: str, account_id: str, *, consent: Basis | None = None
    ) -> BankAccount:
        """Unbind an account; a second time changes nothing. The oldest other account becomes the default.

        Args:
            consent: the member's own, where it authorised exactly this; None where the platform vouches.

        Raises:
            Refused: `not_found`, `member_state`, `account_in_use` while a withdrawal to it is under way,
                `mandate_in_force`, or the consent does not hold.
        """
        member = await self._members.get(platform_no, member_no)
        require_may(member.status, Permission.UNBIND_ACCOUNT, member_no=member_no)
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, _holder(platform_no, member_no))
            row = await session.get(BankAccountRow, (platform_no, account_id))
            if row is None or row.member_no != member_no:
                raise _not_found(account_id)
            if row.unbound_at is None:
                await _refuse_while_in_use(session, platform_no, member_no, account_id)
                await self._unbind_row(session, row, consent=consent)
        return await self.get(platform_no, member_no, account_id)

    async def unbind_all(self, session: AsyncSession, platform_no: str, member_no: str) -> None:
        """Unbind every account of a member that closes, in the transaction of `session`; no withdrawal is under way."""
        await one_at_a_time(session, _holder(platform_no, member_no))
        query = select(BankAccountRow).where(
            BankAccountRow.platform_no == platform_no,
            BankAccountRow.member_no == member_no,
            col(BankAccountRow.unbound_at).is_(None),
        )
        # The default goes last, so that no other account becomes it on the way.
        for row in (await session.exec(query.order_by(col(BankAccountRow.is_default)))).all():
            await self._unbind_row(session, row)

    async def get(self, platform_no: str, member_no: str, account_id: str) -> BankAccount:
        """Return one account of a member, bound or once bound; `member_no` empty for the platform's own.

        Raises:
            Refused: `not_found`.
        """
        async with self._recorder.session() as session:
            row = await session.get(BankAccountRow, (platform_no, account_id))
        if row is None or row.member_no != member_no:
            raise _not_found(account_id)
        return self._drawer.opened(row)

    async def of_member(self, platform_no: str, member_no: str) -> list[BankAccount]:
        """All accounts ever bound to a member, oldest first."""
        query = (
            select(BankAccountRow)
            .where(BankAccountRow.platform_no == platform_no, BankAccountRow.member_no == member_no)
            .order_by(col(BankAccountRow.bound_at), col(BankAccountRow.account_id))
        )
        async with self._recorder.session() as session:
            return [self._drawer.opened(row) for row in (await session.exec(query)).all()]

    async def to_pay(
        self, platform_no: str, member_no: str, account_id: str | None = None, *, verified: bool = False
    ) -> BankAccount:
        """Return the bound account that a withdrawal goes to: the named one, or the default.

        Args:
            verified: whether a member's account must be verified too.

        Raises:
            Refused: `account_not_bound`; `account_not_verified` for an account of the platform that nobody vouched
                for, or of a member where verification is required.
        """
        async with self._recorder.session() as session:
            if account_id:
                row = await session.get(BankAccountRow, (platform_no, account_id))
            else:
                row = await self._default_row(session, platform_no, member_no)
        if row is None or row.member_no != member_no or row.unbound_at is not None:
            named = f"account {account_id}" if account_id else "default account"
            raise Refused("account_not_bound", f"There is no bound {named}.", {"account_id": account_id or ""})
        if not member_no and row.verification == "none":
            raise Refused("account_not_verified", "A platform withdraws to its own verified account only.")
        if verified and row.verification == "none":
            raise Refused(
                "account_not_verified", f"Account {row.account_id} is not verified.", {"account_id": row.account_id}
            )
        return self._drawer.opened(row)

    async def holder_of(self, platform_no: str, account_no: str) -> BankAccount | None:
        """Bound account with this number, by which a transfer is recognised; None when nobody bound it."""
        query = select(BankAccountRow).where(
            BankAccountRow.platform_no == platform_no,
            BankAccountRow.account_no_index == self._drawer.index(platform_no, account_no),
            col(BankAccountRow.unbound_at).is_(None),
        )
        async with self._recorder.session() as session:
            row = (await session.exec(query)).one_or_none()
        return None if row is None else self._drawer.opened(row)

    def digest(self, platform_no: str, account: NewBankAccount) -> str:
        """Keyed digest of an account's number and name, by which a consent names it."""
        named = f"{account.account_no}/{account.account_name}"
        return self._box.blind_index(named, field=f"{platform_no}/binding").hex()

    def sealed(self, platform_no: str, account: NewBankAccount) -> str:
        """Number and name sealed, as hex, for what waits until its member has authorised it."""
        text = json.dumps([account.account_no, account.account_name], ensure_ascii=False)
        return self._box.seal(text, place=_waiting(platform_no, account.account_id)).hex()

    def opened(self, platform_no: str, account_id: str, sealed: str) -> tuple[str, str]:
        """Number and name of what `sealed` sealed, in the clear.

        Raises:
            PersonalDataUnreadable: it was altered, or belongs to another account.
        """
        text = self._box.open(bytes.fromhex(sealed), place=_waiting(platform_no, account_id))
        account_no, account_name = json.loads(text)
        return account_no, account_name

    def _binding(
        self,
        platform_no: str,
        member_no: str,
        account: NewBankAccount,
        *,
        is_default: bool,
        now: datetime,
        ends: BankAccountRow | None,
    ) -> Posting:
        ended = () if ends is None else (_change(ends.account_id, "bank_account.default_ended", is_default=False),)
        facts = {
            "member_no": member_no,
            "is_corporate": account.is_corporate,
            "cnaps_code": account.cnaps_code,
            "bank_name": account.bank_name,
        }
        return Posting(
            platform_no=platform_no,
            request_no=derived("", "bank_account", account.account_id, "bind"),
            content={
                **facts,
                "account_no": self._drawer.index(platform_no, account.account_no).hex(),
                "account_name": self._box.blind_index(account.account_name, field=f"{platform_no}/name").hex(),
                "make_default": account.make_default,
            },
            occurred_at=now,
            changes=(
                Change(
                    kind="bank_account",
                    object_no=account.account_id,
                    event_type="bank_account.bound",
                    status="bound",
                    body={**facts, "is_default": is_default, "verification": vouched_by(member_no)},
                    must_be_new=True,
                ),
                *ended,
            ),
        )

    async def _unbind_row(self, session: AsyncSession, row: BankAccountRow, *, consent: Basis | None = None) -> None:
        now = await books_now_within(session, row.platform_no)
        changes = [_change(row.account_id, "bank_account.unbound", status="unbound", is_default=False)]
        was_default, row.is_default, row.unbound_at = row.is_default, False, now
        await session.flush()
        if was_default and (heir := await self._oldest_row(session, row.platform_no, row.member_no)) is not None:
            heir.is_default = True
            changes.append(_change(heir.account_id, "bank_account.made_default", is_default=True))
        await post_within(
            session,
            Posting(
                platform_no=row.platform_no,
                request_no=derived("", "bank_account", row.account_id, "unbind"),
                content={"account_id": row.account_id},
                occurred_at=now,
                changes=tuple(changes),
                bases=_bases(consent),
            ),
        )

    async def _default_row(self, session: AsyncSession, platform_no: str, member_no: str) -> BankAccountRow | None:
        query = select(BankAccountRow).where(
            BankAccountRow.platform_no == platform_no,
            BankAccountRow.member_no == member_no,
            col(BankAccountRow.is_default),
        )
        return (await session.exec(query)).one_or_none()

    async def _oldest_row(self, session: AsyncSession, platform_no: str, member_no: str) -> BankAccountRow | None:
        query = (
            select(BankAccountRow)
            .where(
                BankAccountRow.platform_no == platform_no,
                BankAccountRow.member_no == member_no,
                col(BankAccountRow.unbound_at).is_(None),
            )
            .order_by(col(BankAccountRow.bound_at), col(BankAccountRow.account_id))
            .limit(1)
        )
        return (await session.exec(query)).one_or_none()


def _bases(consent: Basis | None) -> tuple[Basis, ...]:
    return () if consent is None else (consent,)


def _require_own(account: NewBankAccount, holder_name: str) -> None:
    if same_name(account.account_name) != same_name(holder_name):
        raise Refused("account_name_differs", "Only accounts under the member's own name can be bound.")
    check_numbers(account)


def _already_bound() -> Refused:
    return Refused("account_already_bound", "This bank account is bound already; it belongs to one member.")


def _waiting(platform_no: str, account_id: str) -> str:
    return f"{platform_no}/bank_account/{account_id}/waiting"


def _change(account_id: str, event_type: str, *, status: str = "bound", is_default: bool) -> Change:
    return Change(
        kind="bank_account",
        object_no=account_id,
        event_type=event_type,
        status=status,
        body={"is_default": is_default},
    )


def _holder(platform_no: str, member_no: str) -> str:
    # The changes of one member's accounts are put in order, so that exactly one of them stays the default.
    return f"bank_accounts/{platform_no}/{member_no}"


def _not_found(account_id: str) -> Refused:
    return Refused("not_found", f"There is no bank account {account_id}.")


async def _refuse_while_in_use(session: AsyncSession, platform_no: str, member_no: str, account_id: str) -> None:
    # A withdrawal is under way as long as its money is in transit: few rows, found by the account's key. An index
    # on the objects' documents instead would cost every change of every order.
    under_way = await run(
        session,
        "SELECT o.object_no FROM account a JOIN business_object o ON o.platform_no = a.platform_no "
        "AND o.kind = 'withdrawal' AND o.object_no = a.ref WHERE a.platform_no = :platform_no "
        "AND a.member_no = :member_no AND a.purpose = 'payout' AND a.balance_fen <> 0 "
        "AND o.body->>'account_id' = :account_id LIMIT 1",
        platform_no=platform_no,
        member_no=member_no,
        account_id=account_id,
    )
    mandates = await run(
        session,
        "SELECT mandate_no FROM mandate WHERE platform_no = :platform_no AND member_no = :member_no "
        "AND account_id = :account_id AND ended_at IS NULL LIMIT 1",
        platform_no=platform_no,
        member_no=member_no,
        account_id=account_id,
    )
    if mandates:
        number = mandates[0].mandate_no
        raise Refused("mandate_in_force", f"Revoke mandate {number} on this account first.", {"mandate_no": number})
    if under_way:
        raise Refused(
            "account_in_use",
            f"Withdrawal {under_way[0].object_no} to this account is under way; unbind when it has ended.",
            {"withdrawal_no": under_way[0].object_no},
        )
