"""How a collection is shown, whatever it pays, and how an answer waits until its payer has something to do."""

from typing import Literal

from pydantic import AwareDatetime, Field

from api.dependencies import Services
from api.member_consents import public_base
from api.schemas import BalanceFen, Time, View
from api.waiting import until, wait_until_recorded
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import CollectionStatus
from escrow.ledger.objects import BusinessObject
from workflows.messages import collection_workflow_id


class InteractionView(View):
    """What the payer has to do: go to `url`, scan `qr_content`, open the wallet with `app_parameters`, type a code."""

    kind: Literal["redirect", "qr", "app", "sms_code", "none"]
    url: str
    qr_content: str
    app_parameters: dict[str, str]
    code_expires_at: AwareDatetime | None = Field(description="Until when the SMS code that was sent last is good.")


class ChannelPaymentView(View):
    """One payment that the channel took, and what became of it."""

    payment_no: str
    amount_fen: BalanceFen
    fee_fen: BalanceFen
    outcome: Literal["credited", "suspended", "returned"]
    suspended_fen: BalanceFen = Field(description="What of it is neither credited nor returned yet.")


class TopUpView(View):
    """A top-up as the ledger has it."""

    top_up_no: str
    status: CollectionStatus
    member_no: str
    method: CollectionMethod
    amount_fen: BalanceFen
    expires_at: AwareDatetime
    interaction: InteractionView | None = Field(description="While the payer is waited for.")
    cashier_url: str = Field(
        description="Hosted page that shows the payer what to do and how it stands, in Chinese and English; add "
        "`?lang=en` or `?lang=zh`. Who knows it can pay."
    )
    payments: list[ChannelPaymentView]
    reason: str = Field(description="Why it was closed or failed; else empty.")
    reason_code: str = Field(description="Stable code of the rule that said no before anything was sent; else empty.")
    debit_channel: str = Field(description="Of a direct debit: the channel that it was last made over; else empty.")
    debit_route: list[str] = Field(description="Of a direct debit: every channel with why it was or was not taken.")
    updated_at: Time
    sequence_no: int = Field(description="Number of the top-up's last event.")
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["pay_in/HOME/T-1"])


def top_up_view(services: Services, collection: BusinessObject) -> TopUpView:
    """A top-up as the ledger has it."""
    body = collection.body
    return TopUpView(
        top_up_no=collection.object_no,
        status=CollectionStatus(collection.status),
        member_no=body["member_no"],
        method=CollectionMethod(body["method"]),
        amount_fen=body["amount_fen"],
        expires_at=body["expires_at"],
        interaction=body["interaction"],
        cashier_url=public_base(services)
        + services.registry.cashier_links.path(collection.platform_no, collection.object_no),
        payments=[{name: payment[name] for name in ChannelPaymentView.model_fields} for payment in body["payments"]],
        reason=body["reason"],
        reason_code=body["reason_code"],
        debit_channel=body["debit_channel"],
        debit_route=body["debit_route"],
        updated_at=collection.updated_at,
        sequence_no=collection.sequence_no,
        workflow_id=collection_workflow_id(collection.platform_no, collection.object_no),
    )


async def shown_to_payer(services: Services, collection: BusinessObject) -> BusinessObject:
    """The top-up once the channel has answered, or as it stands when the channel takes its time."""

    async def now() -> BusinessObject:
        return await wait_until_recorded(services, collection.platform_no, collection.kind, collection.object_no)

    return await until(services, now, lambda found: found.status != CollectionStatus.OPENED)
