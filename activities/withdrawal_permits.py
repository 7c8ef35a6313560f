"""Whether a withdrawal may begin, and to which bound account its money then goes."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from activities.guards import require_fee
from activities.steps import Step
from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.money.amounts import format_fen
from escrow.domain.money.journal import Basis
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import MilestoneStatus
from escrow.domain.platforms.authorisations import AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense_returns import OPERATORS, suspense_return_operation_hash
from escrow.domain.withdrawals.operations import withdrawal_operation_hash, withdrawal_terms
from escrow.ledger.books import known
from escrow.ledger.charges import cover_bank_charges
from escrow.ledger.consents import get_consent
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.suspense_credits import collected
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.members.members import PLATFORM_ITSELF, Members
from escrow.registry.platforms.platforms import Platforms
from escrow.registry.transfers.suspense_payouts import SuspensePayouts


class HoldMoney(BaseModel):
    """Move principal and fee of a withdrawal into transit.

    Args:
        started_as: first run of the withdrawal's workflow, which tells a repeated attempt from a second withdrawal
            of the same number after the server has forgotten the first.
        member_no: empty for the platform's own money.
        order_no: the order whose release is withdrawn by itself; empty when somebody asked for it.
        credit_no: the suspense credit whose money goes back; empty for money of a member or the platform.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    started_as: str
    member_no: str
    account_id: str
    principal_fen: int
    fee_fen: int
    order_no: str
    credit_no: str = ""


class WithdrawalPermits:
    """The rules that a withdrawal is held against once, when its money is about to be held."""

    def __init__(
        self,
        writer: LedgerWriter,
        reader: Reader,
        accounts: BankAccounts,
        members: Members,
        platforms: Platforms,
        payees: SuspensePayouts,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._accounts = accounts
        self._members = members
        self._platforms = platforms
        self._payees = payees

    async def account_to_pay(self, request: HoldMoney) -> str:
        """The bound account that the money may go to.

        Raises:
            Refused: `account_not_bound`, `account_not_verified`, `identity_required`, `member_state`,
                `contract_differs`, `fee_differs`, `basis_mismatch`, `authorisation_required`, or `bank_charges_owed`.
        """
        step = request.step
        config = await self._deciding_config(request)
        if request.member_no:
            await self._require_holder(request, config)
        else:
            await self._require_contact_person(step)
            await self._require_charges_paid(step)
        account = await self._accounts.to_pay(
            step.platform_no, request.member_no, request.account_id, verified=config.verified_account_required
        )
        return account.account_id

    async def suspense_to_return(self, request: HoldMoney) -> dict[str, Any]:
        """What is known of a return besides its amount, as the consent that it stands on says.

        Raises:
            Refused: `basis_missing`, `basis_mismatch`, `suspense_source_unknown`, `suspense_unsettled`, or
                `two_operators_required`.
        """
        step = request.step
        for basis in step.bases:
            consent = await get_consent(self._reader, step.platform_no, basis.reference)
            if consent is None or basis.kind != "consent":
                raise Refused("basis_missing", f"Nobody consented to the return {step.object_no}.")
            said = consent.terms
            expected = suspense_return_operation_hash(
                platform_no=step.platform_no, return_no=step.object_no, by=consent.given_by, terms=said
            )
            holds = basis.operation_hash == expected and said["credit_no"] == request.credit_no
            if not holds or (request.principal_fen, request.fee_fen) != (said["principal_fen"], 0) or request.member_no:
                raise _not_about_this(basis)
            if consent.given_by != OPERATORS:
                await self._require_returned_by_platform(step.platform_no, request.credit_no)
            await self._require_settled(step.platform_no, request.credit_no)
            facts = {"cnaps_code": said["cnaps_code"], "payee_is_named": bool(said["payee_digest"])}
            await self._payees.payee(step.platform_no, step.object_no, credit_no=request.credit_no, **facts)
            return {"credit_no": request.credit_no, **facts}
        raise Refused("basis_missing", f"Nobody consented to the return {step.object_no}.")

    async def _require_returned_by_platform(self, platform_no: str, credit_no: str) -> None:
        """A platform's key sends back what somebody sent, where it may; never what a bank gave back of a payout.

        Raises:
            Refused: `two_operators_required` or `suspense_source_unknown`.
        """
        config = (await self._platforms.configurations.current(platform_no)).config
        line = await self._payees.source(platform_no, credit_no)
        if line.kind == "return" or not config.suspense_returned_by_platform:
            raise Refused("two_operators_required", "Two operators pay this money out; ask the institution.")

    async def _require_settled(self, platform_no: str, credit_no: str) -> None:
        """What a channel collected leaves when the day after its booking is closed: it has settled by then.

        Raises:
            Refused: `suspense_unsettled`.
        """
        payment = await collected(self._reader, platform_no, credit_no)
        if payment is None:
            return
        settles_on = payment.booked_on + timedelta(days=1)
        if await accounting_day(self._reader, platform_no) <= settles_on:
            raise Refused("suspense_unsettled", f"Its channel settles this first; ask when {settles_on} is closed.")

    async def _deciding_config(self, request: HoldMoney) -> PlatformConfig:
        """Only what an order does by itself keeps the order's configuration; whoever asks now is asked for now."""
        platform_no = request.step.platform_no
        configurations = self._platforms.configurations
        config = (await configurations.current(platform_no)).config
        for basis in request.step.bases:
            if basis.kind == "release":
                order = await require_standing_order(
                    self._reader,
                    platform_no=platform_no,
                    order_no=request.order_no,
                    released_as=basis.reference,
                    fee_fen=request.fee_fen,
                )
                config = (await configurations.version(platform_no, order.contract.config_version)).config
            else:
                _require_asked_for(request, basis)
                require_fee(config=config, fee_fen=request.fee_fen)
        return config

    async def _require_holder(self, request: HoldMoney, config: PlatformConfig) -> None:
        """A member whose identity is not verified may receive, but not withdraw, where the platform has it so."""
        statuses = await self._members.statuses(request.step.platform_no, request.member_no)
        require_may(
            statuses[request.member_no],
            Permission.WITHDRAW,
            member_no=request.member_no,
            identity_required_for_withdrawal=config.identity_required_for_withdrawal,
        )

    async def _require_contact_person(self, step: Step) -> None:
        """The platform's own money leaves on its contact person's code alone, never by key or by an order itself."""
        for basis in step.bases or (Basis(kind="none"),):
            consent = await get_consent(self._reader, step.platform_no, basis.reference)
            if basis.kind != "consent" or consent is None or consent.method != AuthorisationMethod.SMS_CODE:
                raise Refused(
                    "authorisation_required",
                    "The platform's own money is withdrawn only by a code to its contact mobile, on the hosted page.",
                    {"operation": AuthorisedOperation.PLATFORM_WITHDRAW, "method": AuthorisationMethod.SMS_CODE},
                )

    async def _require_charges_paid(self, step: Step) -> None:
        """The platform's own money pays the bank's charges before it leaves."""
        owed_fen = await cover_bank_charges(self._reader, self._writer, step.platform_no)
        if owed_fen:
            raise Refused(
                "bank_charges_owed",
                f"The platform owes {format_fen(owed_fen)} for bank charges; transfer that to the custody account.",
                {"owed_fen": owed_fen},
            )


async def require_standing_order(
    reader: Reader, *, platform_no: str, order_no: str, released_as: str, fee_fen: int
) -> Order:
    """A withdrawal that follows a release needs an order that says so, and exactly one of its releases.

    Raises:
        Refused: `contract_differs`.
    """
    order = await known(reader, ORDERS, platform_no, order_no)
    releases = {
        derived(order_no, f"M{item.number}", "release", 1)
        for item in order.state.milestones
        if item.status is MilestoneStatus.RELEASED
    }
    contract = order.contract
    if not contract.withdraw_automatically or contract.withdrawal_fee_fen != fee_fen or released_as not in releases:
        raise Refused("contract_differs", f"{released_as} is no release that {order_no} withdraws so.")
    return order


def _require_asked_for(request: HoldMoney, basis: Basis) -> None:
    """The consent is to exactly this withdrawal, whatever the workflow took its hash of.

    Raises:
        Refused: `basis_mismatch`.
    """
    expected = withdrawal_operation_hash(
        platform_no=request.step.platform_no,
        withdrawal_no=request.step.object_no,
        by=request.member_no or PLATFORM_ITSELF,
        terms=withdrawal_terms(
            account_id=request.account_id, principal_fen=request.principal_fen, fee_fen=request.fee_fen
        ),
    )
    if basis.operation_hash != expected:
        raise _not_about_this(basis)


def _not_about_this(basis: Basis) -> Refused:
    return Refused("basis_mismatch", f"The {basis.kind} {basis.reference} is not about this.")
