"""Activities of an order: each is one ledger transaction under one request number."""

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.guards import require_consent, require_parties
from activities.signed_order import SignedOrder, signed_order
from activities.steps import Step, used_before
from activities.telemetry import RELEASES
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.errors import Refused
from escrow.domain.money import recipes
from escrow.domain.money.accounts import pending
from escrow.domain.money.funding import FundingLeg, draw
from escrow.domain.money.journal import Basis, Receipt
from escrow.domain.orders.operations import unpaid_claim
from escrow.domain.orders.states import OrderStatus
from escrow.domain.platforms.rules import require_business_model
from escrow.ledger.balances import brought_otherwise, member_balances
from escrow.ledger.books_time import books_now
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader
from escrow.ledger.posting import LedgerWriter
from escrow.registry.members.members import Members
from escrow.registry.platforms.configurations import Configurations

#: How often a freeze looks at the balances again when somebody else moved them meanwhile.
_DRAW_ATTEMPTS = 5


class OrderRequest(BaseModel):
    """Base of the inputs below."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step


class OpenOrder(OrderRequest):
    """Enter the order in the books.

    Args:
        started_as: first run of the order's workflow, which tells a repeated attempt from a second order of the
            same number after the server has forgotten the first.
    """

    started_as: str


class ProposeCancel(OrderRequest):
    """One side wants to cancel and consents to it."""

    consent: Basis


class FreezePrice(OrderRequest):
    """Move the full price from the owner's available balance into the order's escrow."""

    owner_no: str
    total_fen: int


class ReleaseMilestone(OrderRequest):
    """Move one milestone's money from escrow to the payee, less the commission.

    Args:
        recipe: `deposit_released`, `milestone_released` or `retention_released`.
        payee_no: the contractor; empty when the platform itself is the payee (self-operated).
        settles_next_day: whether the net lands in pending until its accounting day is closed (T+1).
    """

    recipe: str
    owner_no: str
    contractor_no: str
    payee_no: str
    milestone: int
    gross_fen: int
    commission_fen: int
    settles_next_day: bool


class RefundRest(OrderRequest):
    """Return what is still in escrow to the buckets it was drawn from."""

    owner_no: str
    parts: tuple[FundingLeg, ...]


class OrderRef(BaseModel):
    """Names one order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    order_no: str


class PaymentInBooks(BaseModel):
    """How an order was paid: from what, with which batch if any, and until when it waits for the start of work."""

    funding: tuple[FundingLeg, ...]
    direct: DirectPaid | None
    batch_no: str
    start_due_at: AwareDatetime


class FreezeReceipt(BaseModel):
    """From where the price was drawn."""

    funding: tuple[FundingLeg, ...]


class OrderActivities:
    """Ledger activities of orders."""

    def __init__(
        self,
        writer: LedgerWriter,
        reader: Reader,
        members: Members,
        configurations: Configurations,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._members = members
        self._configurations = configurations

    @activity.defn
    async def open_order(self, request: OpenOrder) -> Receipt:
        """Insert the order.

        Raises:
            Refused: `object_exists` when the number was used before, however long ago; `business_model_forbids`.
        """
        step = request.step
        contract = step.document["contract"]
        platform = await self._configurations.version(step.platform_no, contract["config_version"])
        require_business_model(
            platform.config,
            payee_is_platform=contract["payee_is_platform"],
            commission_basis_points=contract["commission_basis_points"],
        )
        try:
            return await self._writer.post(step.posting(content={"started_as": request.started_as}))
        except Refused as refusal:
            raise used_before(refusal, step) from refusal

    @activity.defn
    async def record_order(self, step: Step) -> Receipt:
        """Record a change of the order that moves no money, with its deadlines.

        Raises:
            Refused: `not_found` for an order that was never opened, `contract_differs`, `money_inside`, or the basis
                does not hold.
        """
        order = await signed_order(self._reader, step.platform_no, step.object_no)
        order.require_clocks(step)
        await order.require_end(self._reader, step)
        ends_unpaid = OrderStatus(step.status).is_final  # with money inside it ends by a release or a refund
        claims = (unpaid_claim(step.object_no),) if ends_unpaid else ()
        return await self._writer.post(step.posting(content={}, claims=claims))

    @activity.defn
    async def payment_in_books(self, order: OrderRef) -> PaymentInBooks | None:
        """How the order was paid, None when it was not; a batch pays it past its own workflow."""
        signed = await signed_order(self._reader, order.platform_no, order.order_no)
        if not signed.funding or signed.start_due_at is None:
            return None
        return PaymentInBooks(
            funding=signed.funding, direct=signed.direct, batch_no=signed.batch_no, start_due_at=signed.start_due_at
        )

    @activity.defn
    async def record_proposal(self, request: ProposeCancel) -> Receipt:
        """Record one side's wish to cancel; its consent is used up only when the other side agrees.

        Raises:
            Refused: the consent does not hold, or the order was never opened.
        """
        await require_consent(self._reader, platform_no=request.step.platform_no, basis=request.consent)
        return await self.record_order(request.step)

    @activity.defn
    async def freeze_price(self, request: FreezePrice) -> FreezeReceipt:
        """Freeze the full price, pending money first.

        Raises:
            Refused: `insufficient_balance`, `contract_differs`, `member_state`, `claim_taken` when the order waits for
                no payment any more, or the basis does not hold.
        """
        for _ in range(_DRAW_ATTEMPTS):
            try:
                return await self._freeze(request)
            except Refused as refusal:
                if refusal.code != "insufficient_balance":
                    raise
                last = refusal
        raise last

    @activity.defn
    async def release_milestone(self, request: ReleaseMilestone) -> Receipt:
        """Release one milestone on the basis that the step carries.

        Raises:
            Refused: `contract_differs`, or the basis does not hold.
        """
        step = request.step
        order = await signed_order(self._reader, step.platform_no, step.object_no)
        order.require(
            owner_no=request.owner_no,
            contractor_no=request.contractor_no,
            payee_is_platform=not request.payee_no,
            release_settlement="T+1" if request.settles_next_day else "T+0",
        )
        order.require_release(
            step,
            recipe=request.recipe,
            milestone=request.milestone,
            gross_fen=request.gross_fen,
            commission_fen=request.commission_fen,
        )
        order.require_clocks(step)
        order.require_elapsed(step, now=await books_now(self._reader, step.platform_no))
        if request.payee_no not in ("", request.contractor_no):
            raise Refused("contract_differs", "An order pays its contractor, or the platform itself.")
        pending_day = await self._pending_day(order, settles_next_day=request.settles_next_day)
        receipt = await self._writer.post(
            step.posting(
                entry=recipes.escrow_released(
                    recipe=request.recipe,
                    platform_no=step.platform_no,
                    owner_no=request.owner_no,
                    order_no=step.object_no,
                    payee_no=request.payee_no,
                    gross_fen=request.gross_fen,
                    commission_fen=request.commission_fen,
                    pending_day=pending_day,
                ),
                content={
                    "recipe": request.recipe,
                    "payee_no": request.payee_no,
                    "gross_fen": request.gross_fen,
                    "commission_fen": request.commission_fen,
                },
            )
        )
        if not receipt.repeated:
            RELEASES.labels(step.platform_no, request.recipe).inc()
        return receipt

    @activity.defn
    async def refund_rest(self, request: RefundRest) -> Receipt:
        """Refund what is still in escrow; T+1 money goes back to its pending day.

        Raises:
            Refused: `contract_differs`, or the basis does not hold.
        """
        step = request.step
        order = await signed_order(self._reader, step.platform_no, step.object_no)
        await order.require_refund(self._reader, step, owner_no=request.owner_no, parts=request.parts)
        return await self._writer.post(
            step.posting(
                entry=recipes.order_refunded(
                    platform_no=step.platform_no,
                    owner_no=request.owner_no,
                    order_no=step.object_no,
                    parts=request.parts,
                ),
                content={"parts": [f"{part.source}={part.amount_fen}" for part in request.parts]},
            )
        )

    async def _freeze(self, request: FreezePrice) -> FreezeReceipt:
        """One look at the balances and one posting; a freeze that was done before is answered by what it drew."""
        step = request.step
        order = await signed_order(self._reader, step.platform_no, step.object_no)
        order.require(owner_no=request.owner_no, total_fen=request.total_fen)
        order.require_payment(step)
        if not order.funding:
            await require_parties(self._members, step.platform_no, owner_no=request.owner_no, payee_no=order.payee_no)
        funding = order.funding or await self._draw(step.platform_no, request.owner_no, request.total_fen)
        receipt = await self._writer.post(
            step.posting(
                entry=recipes.order_frozen(
                    platform_no=step.platform_no,
                    owner_no=request.owner_no,
                    order_no=step.object_no,
                    legs=funding,
                ),
                content={"owner_no": request.owner_no, "total_fen": request.total_fen},
                claims=(unpaid_claim(step.object_no),),
                document={
                    "direct": None,
                    "funding": [
                        {"source": leg.source, "amount_fen": leg.amount_fen, "refunded_fen": 0} for leg in funding
                    ],
                },
            )
        )
        if receipt.repeated:  # perhaps by an attempt that was still under way when this one looked
            funding = (await signed_order(self._reader, step.platform_no, step.object_no)).funding
        return FreezeReceipt(funding=funding)

    async def _pending_day(self, order: SignedOrder, *, settles_next_day: bool) -> date | None:
        """Released money is pending where the order says so, or while the channel that collected it has not settled."""
        today = await accounting_day(self._reader, order.platform_no)
        unsettled = [day for leg in order.funding if (day := leg.pending_day) is not None and day >= today]
        if today in unsettled:
            owner_no = str(order.contract["owner_no"])
            bucket = pending(order.platform_no, owner_no, today.isoformat())
            if not await brought_otherwise(self._reader, bucket, recipes=("top_up_credited", "order_refunded")):
                unsettled.remove(today)  # the bank had booked all of it: it waits only because top-ups do
        if order.direct is not None and order.direct.settles_on >= today:
            unsettled.append(order.direct.settles_on)
        return max([*unsettled, *([today] if settles_next_day else [])], default=None)

    async def _draw(self, platform_no: str, owner_no: str, amount_fen: int) -> tuple[FundingLeg, ...]:
        balances = await member_balances(self._reader, platform_no, owner_no)
        return draw(
            withdrawable_fen=balances.withdrawable_fen,
            pending_fen_by_day=balances.pending_fen_by_day,
            amount_fen=amount_fen,
        )
