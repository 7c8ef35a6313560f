"""Where the money of a withdrawal goes, and over which rail: by the books, the registry and the bank's answer."""

from collections.abc import Mapping
from datetime import date

from escrow.channels.protocols import Payouts
from escrow.domain.errors import Refused
from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar
from escrow.domain.withdrawals.rails import rail_rules_on
from escrow.domain.withdrawals.routing import RouteDecision, account_facts, choose_route
from escrow.domain.withdrawals.sources import SuspenseMoney
from escrow.domain.withdrawals.tariff import tariff_on
from escrow.domain.withdrawals.withdrawal import Withdrawal
from escrow.ledger.consents import Consent
from escrow.ledger.engine import Reader
from escrow.registry.accounts.rows import BankAccount
from escrow.registry.platforms.platforms import custody_account_of
from escrow.registry.registry import Registry
from escrow.registry.transfers.suspense_payouts import SuspensePayee

#: An account in the clear: never log or store one elsewhere.
Payee = BankAccount | SuspensePayee


class PayoutRoutes:
    """Finds payees and chooses rails.

    Args:
        working_days: days on which the settings override the working calendar.
    """

    def __init__(self, reader: Reader, registry: Registry, payouts: Payouts, working_days: Mapping[date, bool]) -> None:
        self._reader = reader
        self._accounts = registry.bank_accounts
        self._suspense_payouts = registry.suspense_payouts
        self._configurations = registry.platforms.configurations
        self._payouts = payouts
        self._calendar = WorkingCalendar(overrides=working_days)

    async def knows_payee(self, consent: Consent) -> bool:
        """Whether money in suspense has an account that it can go to, as a consent to its return names it."""
        terms = consent.terms
        money = SuspenseMoney(
            credit_no=terms["credit_no"], cnaps_code=terms["cnaps_code"], payee_is_named=bool(terms["payee_digest"])
        )
        try:
            await self._suspense_payee(consent.platform_no, consent.object_no, money)
        except Refused:
            return False
        return True

    async def payee(self, withdrawal: Withdrawal) -> Payee:
        """Where the money goes.

        Raises:
            Refused: the account was unbound meanwhile.
        """
        source = withdrawal.state.source
        if isinstance(source, SuspenseMoney):
            return await self._suspense_payee(withdrawal.platform_no, withdrawal.withdrawal_no, source)
        return await self._accounts.to_pay(withdrawal.platform_no, source.owner_no, source.account_id)

    async def choose(self, withdrawal: Withdrawal, payee: Payee) -> RouteDecision:
        """Choose a rail by the bank's own clock, since it is the bank that keeps the hours.

        Raises:
            BankUnreachable: ask again.
        """
        state, platform_no = withdrawal.state, withdrawal.platform_no
        capabilities = await self._payouts.capabilities(await custody_account_of(self._reader, platform_no))
        configurations, version = self._configurations, state.config_version
        found = await (
            configurations.current(platform_no) if version is None else configurations.version(platform_no, version)
        )
        today = capabilities.as_of.astimezone(SHANGHAI).date()
        return choose_route(
            rules=rail_rules_on(today),
            calendar=self._calendar,
            tariff=tariff_on(today),
            amount_fen=state.principal_fen,
            account=account_facts(
                account_no=payee.account_no,
                is_corporate=payee.is_corporate,
                cnaps_code=payee.cnaps_code,
                custody_bank_code=capabilities.custody_bank_code,
            ),
            capabilities=capabilities.rails,
            objective=found.config.routing_objective,
            now=capabilities.as_of,
            excluded=state.failed_rails,
        )

    async def _suspense_payee(self, platform_no: str, return_no: str, source: SuspenseMoney) -> SuspensePayee:
        return await self._suspense_payouts.payee(platform_no, return_no, **source.model_dump())
