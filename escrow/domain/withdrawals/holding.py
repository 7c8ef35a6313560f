"""How a withdrawal begins: its money is held, on a consent, or on the release that it follows by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from escrow.domain.decisions import Decision, Facts, GivenConsent, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.rules import require_agreed
from escrow.domain.requests import PLATFORM_ITSELF, derived
from escrow.domain.transfers.suspense_returns import RETURN_SUSPENSE, suspense_return_operation_hash
from escrow.domain.withdrawals import permits
from escrow.domain.withdrawals.charges import needs_large_withdrawal_sms
from escrow.domain.withdrawals.commands import Hold
from escrow.domain.withdrawals.operations import withdrawal_operation_hash, withdrawal_terms
from escrow.domain.withdrawals.permits import Permit
from escrow.domain.withdrawals.sources import MembersMoney, SuspenseMoney
from escrow.domain.withdrawals.state import OPERATOR_AFTER, WithdrawalState
from escrow.domain.withdrawals.states import WithdrawalEvent, WithdrawalStatus, next_status
from escrow.domain.withdrawals.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class UnheldWithdrawal(NotInBooks):
    """A withdrawal of which nothing stands in the books but, at most, the consent that asks for it."""

    platform_no: str
    withdrawal_no: str

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple[Withdrawal, Decision]:
        """Hold its money; every other command finds no withdrawal.

        Args:
            at: the books' time.

        Raises:
            Refused: `not_found`, `basis_missing`, or what keeps the money where it is.
        """
        if not isinstance(command, Hold):
            raise Refused("not_found", f"There is no withdrawal {self.withdrawal_no}.")
        consent = facts.required_consent(command.said_as or "")
        config, version = _config(facts)
        principal_fen, fee_fen = int(consent.terms["principal_fen"]), int(consent.terms.get("fee_fen", 0))
        amount_fen = principal_fen + fee_fen
        if consent.operation == RETURN_SUSPENSE:
            money = SuspenseMoney(
                credit_no=consent.terms["credit_no"],
                cnaps_code=consent.terms["cnaps_code"],
                payee_is_named=bool(consent.terms["payee_digest"]),
            )
            permit = permits.of_suspense(
                money,
                amount_fen=amount_fen,
                by=consent.given_by,
                payee_is_known=command.payee_is_known,
                config=config,
                facts=facts,
            )
        else:
            permits.require_asked_for(config, principal_fen=principal_fen, fee_fen=fee_fen)
            permit = _counted(_permit(consent, amount_fen, config, facts), config, principal_fen, at)
        state = WithdrawalState(
            status=WithdrawalStatus.REQUESTED,
            source=permit.source,
            principal_fen=principal_fen,
            fee_fen=fee_fen,
            config_version=version,
        )
        basis = Basis(
            kind="consent", reference=consent.consent_no, operation_hash=self._consented_to(consent, principal_fen)
        )
        before = Withdrawal(platform_no=self.platform_no, withdrawal_no=self.withdrawal_no, state=state, version=0)
        return _held(before, permit, basis, config, at)

    def _consented_to(self, consent: GivenConsent, principal_fen: int) -> str:
        """Hash of exactly this, which the database compares with the consent's own."""
        terms = consent.terms
        if consent.operation == RETURN_SUSPENSE:
            return suspense_return_operation_hash(
                platform_no=self.platform_no, return_no=self.withdrawal_no, by=consent.given_by, terms=terms
            )
        return withdrawal_operation_hash(
            platform_no=self.platform_no,
            withdrawal_no=self.withdrawal_no,
            by=consent.given_by,
            terms=withdrawal_terms(
                account_id=terms["account_id"], principal_fen=principal_fen, fee_fen=terms.get("fee_fen", 0)
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowingWithdrawal:
    """A withdrawal that a release has written: it waits for its money to be held, or ends if that cannot be."""

    withdrawal: Withdrawal

    @property
    def status(self) -> str:
        """It is requested."""
        return self.withdrawal.status

    def document(self) -> Mapping[str, Any]:
        """Its whole document."""
        return self.withdrawal.document()

    def told(self, command: Any) -> Mapping[str, Any]:
        """How it stands."""
        return self.withdrawal.told(command)

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple[Withdrawal, Decision]:
        """Hold its money; a rule that says no ends it, since nobody has asked who could be told.

        Args:
            at: the books' time.

        Raises:
            Refused: `withdrawal_state` for every other command.
        """
        withdrawal, state = self.withdrawal, self.withdrawal.state
        if not isinstance(command, Hold):
            next_status(state.status, WithdrawalEvent.BANK_PROCESSING)
        config, _ = _config(facts)
        amount_fen = state.principal_fen + state.fee_fen
        try:
            if isinstance(state.source, MembersMoney):
                permit = permits.of_member(
                    state.source.member_no, None, amount_fen=amount_fen, config=config, facts=facts
                )
            else:
                permit = permits.of_platform(None, amount_fen=amount_fen, consent=None, facts=facts)
        except Refused as refusal:
            return withdrawal.refused(refusal)
        return _held(withdrawal, permit, Basis(kind="release", reference=state.released_as or ""), config, at)


def restored(stored: Stored) -> Withdrawal | FollowingWithdrawal | UnheldWithdrawal:
    """The withdrawal as the books have it, or as it is before its money is held."""
    if stored.version == 0:
        return UnheldWithdrawal(platform_no=stored.platform_no, withdrawal_no=stored.object_no)
    withdrawal = Withdrawal.of_document(stored)
    if withdrawal.state.status is WithdrawalStatus.REQUESTED:
        return FollowingWithdrawal(withdrawal=withdrawal)
    return withdrawal


WITHDRAWALS = ObjectKind(name="withdrawal", of=Withdrawal, restored=restored)


def _config(facts: Facts) -> tuple[PlatformConfig, int]:
    assert facts.config is not None and facts.config_version is not None  # noqa: S101, PT018 - declared
    return facts.config, facts.config_version


def _permit(consent: GivenConsent, amount_fen: int, config: PlatformConfig, facts: Facts) -> Permit:
    account_id = consent.terms["account_id"] or None
    if consent.given_by == PLATFORM_ITSELF:
        return permits.of_platform(account_id, amount_fen=amount_fen, consent=consent, facts=facts)
    require_agreed(config, AuthorisedOperation.WITHDRAW, consent.method)
    return permits.of_member(consent.given_by, account_id, amount_fen=amount_fen, config=config, facts=facts)


def _counted(permit: Permit, config: PlatformConfig, principal_fen: int, at: datetime) -> Permit:
    """What somebody asks for counts on the limit of the day; what an order does by itself does not."""
    counters = permits.limit_of_day(config, permit.source.owner_no, principal_fen, at)
    return replace(permit, counters=counters, counted_on=permits.day_of(at) if counters else None)


def _held(
    before: Withdrawal, permit: Permit, basis: Basis, config: PlatformConfig, at: datetime
) -> tuple[Withdrawal, Decision]:
    state, source = before.state, permit.source
    is_large = needs_large_withdrawal_sms(
        principal_fen=state.principal_fen, threshold_fen=config.large_withdrawal_sms_threshold_fen
    )
    after = state.model_copy(
        update={
            "status": next_status(state.status, WithdrawalEvent.MONEY_HELD),
            "source": source,
            "held_at": at,
            "due_at": at + OPERATOR_AFTER,
            "counted_on": permit.counted_on,
            "sms": "due" if is_large else None,
        }
    )
    return before.becomes(
        after,
        Decision(
            request_no=derived(before.withdrawal_no, "hold"),
            event_type="withdrawal.held",
            event={},
            answer={"status": after.status.value},
            entry=source.held(before.platform_no, before.withdrawal_no, state.held_fen),
            bases=(basis,),
            has_read=permit.has_read,
            counters=permit.counters,
        ),
    )
