"""What top-ups and direct payments share: how the payer pays, and from which card or under which mandate."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from api.dependencies import Services
from api.problems import OrderBusy
from api.schemas import Body, Number
from api.waiting import until
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.pay_ins import COLLECT, collect_consent_no, collecting_terms, pay_in_terms
from escrow.domain.errors import Refused
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import Consent, NewConsent, answer_of, record_consent
from escrow.ledger.objects import BusinessObject, get_object
from escrow.registry.collections.mandate_debits import Debit

#: Longest time that a payer may take.
_LONGEST_MINUTES = 24 * 60
_FROM = {CollectionMethod.QUICK: "account_id", CollectionMethod.DIRECT_DEBIT: "mandate_no"}

#: What such calls can answer besides.
COLLECTING_PROBLEMS = (
    "basis_expired",
    "mandate_required",
    "mandate_unknown",
    "mandate_not_in_force",
    "mandate_cap_exceeded",
    "card_required",
    "account_not_bound",
    "identity_required",
    "no_mobile",
)

ReturnUrl = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$",
        description="Where the payer's browser goes after paying, for `acquiring` and `gateway`.",
    ),
]


class Collecting(Body):
    """How money is collected."""

    method: CollectionMethod = Field(description="How the payer pays.")
    account_id: Number | None = Field(
        default=None,
        description="For `quick` only: the payer's bound card. Its bank sends the payer an SMS code, which is entered "
        "on the cashier page, or relayed by you where configured.",
    )
    mandate_no: Number | None = Field(
        default=None,
        description="For `direct_debit` only: the payer's mandate. Nobody has to do anything; the debit channel is "
        "chosen by bank, cap, health and fee.",
    )
    expires_in_minutes: int = Field(
        default=30, ge=1, le=_LONGEST_MINUTES, strict=True, description="How long the payer may take."
    )
    return_url: ReturnUrl = ""

    @model_validator(mode="after")
    def _names_only_its_own(self) -> "Collecting":
        for method, name in _FROM.items():
            if getattr(self, name) is not None and self.method is not method:
                raise ValueError(f"{name} belongs to {method} alone")
        return self

    def terms(self, amount_fen: int) -> dict[str, object]:
        """What the payer consents to."""
        return pay_in_terms(
            method=self.method.value,
            amount_fen=amount_fen,
            account_id=self.account_id,
            mandate_no=self.mandate_no,
        )


async def require_payer(
    services: Services, platform_no: str, member_no: str, pay_in_no: str, amount_fen: int, body: Collecting
) -> None:
    """Refuse at once what could not be debited now; the debit itself is held against the books again.

    Raises:
        Refused: see `COLLECTING_PROBLEMS`.
    """
    if body.method is CollectionMethod.QUICK:
        if body.account_id is None:
            raise Refused("card_required", "Name the payer's bound card in `account_id`.")
        await services.registry.card_holders.holder_of(platform_no, member_no, body.account_id)
    if body.method is CollectionMethod.DIRECT_DEBIT:
        if body.mandate_no is None:
            raise Refused("mandate_required", "Name the payer's mandate in `mandate_no`.")
        await services.registry.mandate_debits.require_allowed(
            Debit(
                platform_no=platform_no,
                collection_no="",
                pay_in_no=pay_in_no,
                mandate_no=body.mandate_no,
                member_no=member_no,
                channel="",
                amount_fen=amount_fen,
            )
        )


async def ask_to_collect(
    services: Services,
    platform_no: str,
    member_no: str,
    pay_in_no: str,
    amount_fen: int,
    body: Collecting,
    *,
    subject: str,
    pays: Consent,
    order_no: str | None = None,
    batch_no: str | None = None,
    config_version: int,
    remote_address: str,
) -> Consent:
    """Record what is to be collected for an order or a batch, and that its payer consents to be debited so.

    Args:
        pays: the consent to pay, with which this one ends: a repeat after that debits nobody.
        config_version: of the configuration that it is judged by.

    Raises:
        Refused: `basis_expired`, or `request_no_reused`.
    """
    left = pays.expires_at - await books_now(services.reader, platform_no)
    if left <= timedelta(0):
        raise Refused("basis_expired", f"The consent {pays.consent_no} has expired; consent again under a new number.")
    consent, _ = await record_consent(
        services.reader,
        NewConsent(
            platform_no=platform_no,
            consent_no=collect_consent_no(pay_in_no),
            object_kind="pay_in",
            object_no=pay_in_no,
            operation=COLLECT,
            given_by=member_no,
            terms=collecting_terms(
                body.terms(amount_fen),
                subject=subject,
                expires_in_minutes=body.expires_in_minutes,
                return_url=body.return_url,
                order_no=order_no,
                batch_no=batch_no,
                pays_by=pays.consent_no,
            ),
            valid_for=left,
            remote_address=remote_address,
            asked=True,
            config_version=config_version,
        ),
    )
    return consent


async def opened(
    services: Services, consent: Consent, pay_in_no: str, *, member_no: str, amount_fen: int, method: CollectionMethod
) -> BusinessObject:
    """The collection that a recorded consent asks for, once it is opened; a process that does not run is started.

    Args:
        member_no: who is credited, or pays, for those who look.

    Raises:
        Refused: the books say no.
        OrderBusy: not within the time that a command may take.
        TemporalUnavailable: nobody answers.
    """
    reader, platform_no = services.reader, consent.platform_no

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(reader, platform_no, "pay_in", pay_in_no)
        return found or (await answer_of(reader, platform_no, consent.consent_no)).refusal

    found = await look()
    if found is None:
        await services.processes.start_pay_in(
            platform_no, pay_in_no, member_no=member_no, amount_fen=amount_fen, method=method
        )
        found = await until(services, look, lambda seen: seen is not None)
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    if isinstance(found, Refused):
        raise found
    if "refusal" in found.body:  # as the first release entered what it refused
        raise Refused(found.body["refusal"], found.body["reason"])
    return found
