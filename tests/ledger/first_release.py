"""An order as the first release wrote it: merged documents, empty texts where nothing is, no answers with requests."""

from datetime import datetime, timedelta
from typing import Any

from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, Change, DeadlineChange, JournalEntry
from escrow.domain.orders.contract import MilestoneTerms, OrderContract
from escrow.domain.requests import derived
from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import HOME, posting
from tests.ledger.orders import CONTRACTOR, LINES, OWNER, PRICE_FEN

_PERIOD = timedelta(days=7)
_FIRST = LINES[0][1]


class FirstRelease:
    """Writes the steps of one order."""

    def __init__(self, writer: LedgerWriter, recorder: Recorder, order_no: str) -> None:
        self._writer, self._recorder = writer, recorder
        self._order_no = order_no
        self.contract = OrderContract(
            platform_no=HOME,
            order_no=order_no,
            owner_no=OWNER,
            contractor_no=CONTRACTOR,
            total_fen=PRICE_FEN,
            milestones=tuple(
                MilestoneTerms(number=number, name=f"line {number}", kind=kind, amount_fen=amount_fen)
                for number, (kind, amount_fen) in enumerate(LINES, start=1)
            ),
            commission_basis_points=500,
        )
        self._milestones: list[dict[str, Any]] = [
            {
                **terms.model_dump(mode="json"),
                "status": "planned",
                "round": 0,
                "inspection_due_at": None,
                "inspection_left": None,
                "reminded": False,
                "accepted_by": "",
                "commission_fen": 0,
            }
            for terms in self.contract.milestones
        ]
        self._said: dict[str, Any] = {
            "funding": [],
            "direct": None,
            "paid_fen": 0,
            "released_fen": 0,
            "commission_fen": 0,
            "refunded_fen": 0,
            "step_due_at": None,
            "proposal": None,
            "attention": "",
        }

    async def until_inspection(self, *, pay: Basis, start: Basis, complete: Basis, wish: tuple[str, str]) -> None:
        """Opened, paid, started, the first stage reported; then one side wishes to cancel.

        Args:
            pay, start, complete: what the parties consented to.
            wish: who wishes to cancel, and the number of the consent.
        """
        now = await books_now(self._recorder, HOME)
        contract = self.contract.model_dump(mode="json")
        await self._step("open", "order.opened", "awaiting_payment", contract=contract)
        frozen = recipes.order_frozen(
            platform_no=HOME,
            owner_no=OWNER,
            order_no=self._order_no,
            legs=(FundingLeg(source="withdrawable", amount_fen=PRICE_FEN),),
        )
        self._said |= {
            "funding": [{"source": "withdrawable", "amount_fen": PRICE_FEN, "refunded_fen": 0}],
            "paid_fen": PRICE_FEN,
        }
        await self._step("freeze", "order.paid", "awaiting_start", entry=frozen, basis=pay)
        commission_fen = _FIRST * 500 // 10_000
        released = recipes.escrow_released(
            recipe="deposit_released",
            platform_no=HOME,
            owner_no=OWNER,
            order_no=self._order_no,
            payee_no=CONTRACTOR,
            gross_fen=_FIRST,
            commission_fen=commission_fen,
        )
        self._said |= {"released_fen": _FIRST - commission_fen, "commission_fen": commission_fen}
        self._milestones[0] |= {"status": "released", "accepted_by": CONTRACTOR, "commission_fen": commission_fen}
        self._milestones[1] |= {"status": "in_work"}
        await self._step("M1:release:1", "order.deposit_released", "in_progress", entry=released, basis=start)
        due_at = now + _PERIOD
        self._milestones[1] |= {"status": "in_inspection", "round": 1, "inspection_due_at": due_at.isoformat()}
        await self._step(
            "M2:complete:1", "order.milestone_completed", "in_progress", basis=complete, due=("M2:inspection:1", due_at)
        )
        by, consent_no = wish
        self._said["proposal"] = {"by": by, "request_no": consent_no, "lapses_at": (now + _PERIOD).isoformat()}
        await self._step(f"propose-cancel:{consent_no}", "order.cancel_proposed", "in_progress")

    async def _step(
        self,
        number: str,
        event_type: str,
        status: str,
        *,
        entry: JournalEntry | None = None,
        basis: Basis | None = None,
        due: tuple[str, datetime] | None = None,
        **more: Any,
    ) -> None:
        body = {"milestones": self._milestones, **self._said, **more}
        change = Change(kind="order", object_no=self._order_no, event_type=event_type, status=status, body=body)
        clocks: tuple[DeadlineChange, ...] = ()
        if due is not None:
            name, due_at = due
            clocks = (DeadlineChange(object_kind="order", object_no=self._order_no, name=name, due_at=due_at),)
        await self._writer.post(
            posting(
                entry=entry,
                changes=(change,),
                bases=() if basis is None else (basis,),
                deadlines=clocks,
                request_no=derived(self._order_no, number),
                content={"object": f"order/{self._order_no}", "event_type": event_type},
            )
        )
