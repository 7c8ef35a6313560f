"""What happens when a member authorises: the consent is recorded with the link's use, then the command is given."""

from datetime import timedelta
from typing import Any

from api.collections.batch_bodies import BatchOpening, BatchOrder
from api.collections.batch_payments import pay_together
from api.collections.collecting import Collecting
from api.collections.direct_payments import DirectPaymentOpening, collect
from api.collections.mandates import MandateOpening, sign
from api.dependencies import Services
from api.member_consents import PAGE_TEXT_VERSION
from api.members import account_consents
from api.members.routes import close
from api.orders import commands
from api.transfers.payments import PaymentOpening, pay
from api.withdrawals.bodies import WithdrawalOpening
from api.withdrawals.routes import withdraw
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.hosted_pages import LinkOutcome
from escrow.ledger.consents import NewConsent, record_within
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.pages.page_links import PageLink


async def authorise(services: Services, link: PageLink, *, remote_address: str) -> None:
    """Record that the member, which proved itself by the link's method, consents; the link is used up by it.

    Raises:
        Refused: `authorisation_ended`, the link was used or has expired; `basis_mismatch`, what it asks for is not
            what it was made for; `request_no_reused`.
    """
    asked = link.content
    consent = NewConsent(
        platform_no=link.platform_no,
        consent_no=link.link_no,
        object_kind=asked["object_kind"],
        object_no=asked["object_no"],
        operation=asked["operation"],
        given_by=link.member_no or PLATFORM_ITSELF,
        terms=asked["terms"],
        valid_for=timedelta(minutes=asked["carry_out"]["valid_minutes"]),
        method=link.method,
        text_version=PAGE_TEXT_VERSION,
        remote_address=remote_address,
        # Orders, withdrawals and payments take up what is said; whatever else was authorised is carried out from here.
        asked=asked["object_kind"] in ("order", "withdrawal", "payment") and "method" not in asked["terms"],
        config_version=(await services.registry.platforms.configurations.current(link.platform_no)).version,
        note=asked["carry_out"].get("note", ""),
    )
    if consent.operation_hash != asked["operation_hash"]:
        raise Refused("basis_mismatch", "The operation was changed after the link was made.")
    async with services.registry.page_links.claim(link, LinkOutcome.USED, did="given") as session:
        await record_within(session, consent)


async def carry_out(services: Services, link: PageLink, *, remote_address: str) -> None:
    """Give the command that was authorised; what came of it is then known by its consent.

    Raises:
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: the platform's next call goes on.
    """
    asked = link.content
    match asked["object_kind"]:
        case "order" if "method" in asked["terms"]:
            how = {name: value for name, value in asked["carry_out"].items() if name in Collecting.model_fields}
            opening = DirectPaymentOpening(
                request_no=link.link_no, by=link.member_no, method=asked["terms"]["method"], **how
            )
            await collect(services, link.platform_no, asked["object_no"], opening, remote_address=remote_address)
        case "order":
            command = PartyCommand(
                operation=OrderCommand(asked["operation"]),
                request_no=link.link_no,
                by=link.member_no,
                milestone=asked["carry_out"]["milestone"],
                note=asked["carry_out"]["note"],
            )
            await commands.give(services, link.platform_no, asked["object_no"], command, remote_address=remote_address)
        case "withdrawal":
            body = WithdrawalOpening(
                withdrawal_no=asked["object_no"],
                member_no=link.member_no or None,
                account_id=asked["terms"]["account_id"] or None,
                principal_fen=asked["terms"]["principal_fen"],
            )
            await withdraw(services, link.platform_no, body, remote_address=remote_address)
        case "payment":
            payment = PaymentOpening(
                payment_no=asked["object_no"],
                payer_no=link.member_no,
                payee_no=asked["terms"]["subject_no"] or None,
                amount_fen=asked["terms"]["amount_fen"],
            )
            await pay(services, link.platform_no, payment, remote_address=remote_address)
        case "batch_payment":
            batch = BatchOpening(
                batch_no=asked["object_no"],
                payer_no=link.member_no,
                orders=[
                    BatchOrder(order_no=order["order_no"], amount_fen=order["amount_fen"])
                    for order in asked["terms"]["orders"]
                ],
                collection=_collection(asked["carry_out"]),
            )
            await pay_together(services, link.platform_no, batch, remote_address=remote_address)
        case "mandate":
            terms = {name: value for name, value in asked["terms"].items() if name in MandateOpening.model_fields}
            mandate = MandateOpening(mandate_no=asked["object_no"], **terms)
            await sign(services, link.platform_no, link.member_no, mandate, remote_address=remote_address)
        case "bank_account":
            await account_consents.carry_out(services, link, remote_address=remote_address)
        case "member":
            await close(services, link.platform_no, link.member_no, link.link_no, remote_address=remote_address)
        case kind:
            raise RuntimeError(f"nothing carries out what concerns a {kind}")


def _collection(carry_out: dict[str, Any]) -> Collecting | None:
    """How a batch is collected, None from the balance; which of them is part of what was consented to."""
    how = {name: value for name, value in carry_out.items() if name in Collecting.model_fields}
    return Collecting.model_validate(how) if how else None
