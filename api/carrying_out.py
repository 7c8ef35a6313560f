"""What happens when a member authorises: the consent is recorded with the link's use, then the command is given."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from api.dependencies import Services
from api.member_consents import PAGE_TEXT_VERSION
from api.operations import (
    bank_accounts,
    batch_payments,
    direct_payments,
    mandates,
    members,
    orders,
    payments,
    withdrawals,
)
from escrow.domain.errors import Refused
from escrow.domain.operations.asked import AskedFor
from escrow.domain.operations.members import BindAccount, CloseMember, SignMandate, UnbindAccount
from escrow.domain.operations.of_link import Operation, operation_of
from escrow.domain.operations.orders import CommandOrder, PayDirectly, PayTogether
from escrow.domain.operations.transfers import PayAtOnce, Withdraw
from escrow.domain.platforms.hosted_pages import LinkOutcome
from escrow.ledger.consents import NewConsent, record_within
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.pages.page_links import PageLink

#: The one function that carries out each kind of operation; its endpoint calls the same.
CARRIED_OUT_BY: Mapping[type[Operation], Callable[..., Awaitable[object]]] = {
    CommandOrder: orders.give,
    PayDirectly: direct_payments.collect,
    PayTogether: batch_payments.pay_together,
    PayAtOnce: payments.pay,
    Withdraw: withdrawals.withdraw,
    SignMandate: mandates.sign,
    BindAccount: bank_accounts.bind,
    UnbindAccount: bank_accounts.unbind,
    CloseMember: members.close,
}


async def authorise(services: Services, link: PageLink, *, remote_address: str | None) -> None:
    """Record that the member, which proved itself by the link's method, consents; the link is used up by it.

    Raises:
        Refused: `authorisation_ended`, the link was used or has expired; `basis_mismatch`, what it asks for is not
            what it was made for; `request_no_reused`.
    """
    asked = _asked(link)
    consent = NewConsent(
        platform_no=link.platform_no,
        consent_no=asked.number,
        object_kind=asked.object_kind,
        object_no=asked.object_no,
        operation=asked.operation,
        given_by=asked.member_no or PLATFORM_ITSELF,
        terms=asked.terms,
        valid_for=timedelta(minutes=asked.carry_out["valid_minutes"]),
        method=link.method,
        text_version=PAGE_TEXT_VERSION,
        remote_address=remote_address,
        asked=asked.is_taken_up,
        config_version=(await services.registry.platforms.configurations.current(link.platform_no)).version,
        note=asked.carry_out.get("note", ""),
    )
    if consent.operation_hash != link.content["operation_hash"]:
        raise Refused("basis_mismatch", "The operation was changed after the link was made.")
    async with services.registry.page_links.claim(link, LinkOutcome.USED, did="given") as session:
        await record_within(session, consent)


async def carry_out(services: Services, link: PageLink, *, remote_address: str | None) -> None:
    """Carry out what was authorised; what came of it is then known by its consent.

    Raises:
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: the platform's next call goes on.
    """
    platform_no, accounts = link.platform_no, services.registry.bank_accounts
    operation = operation_of(_asked(link), opened=partial(accounts.opened, platform_no))
    await CARRIED_OUT_BY[type(operation)](services, platform_no, operation, remote_address=remote_address)


def _asked(link: PageLink) -> AskedFor:
    return AskedFor.of_link(link.content, number=link.link_no, member_no=link.member_no)
