"""Two ways into the house: over HTTP as a platform comes, or straight to the workflows as the API itself goes."""

import asyncio
from datetime import timedelta
from typing import Any, Final, Protocol

from api.processes import Processes
from bench.house import PLATFORM_NO, House
from escrow.domain.orders.contract import OrderPeriods, opening_consent_no
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.operations import milestone_terms, pay_terms
from escrow.domain.requests import PLATFORM_ITSELF, derived
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.ledger.consents import NewConsent, record_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.objects import get_object
from workflows.messages import CommandResult, PartyMessage, order_workflow_id

STAGES: Final = 3
STAGE_FEN: Final = 10_000_00
_INSPECTION_DAYS: Final = OrderPeriods().inspection_period // timedelta(days=1)
#: The platform's configuration, which never changes here.
_CONFIG_VERSION: Final = 1
_LOOKS_EVERY_SECONDS: Final = 0.01
_ANSWER_SECONDS: Final = 60.0
_CONSENT_VALIDITY: Final = timedelta(hours=1)


class Door(Protocol):
    """What a platform can do; amounts in fen."""

    async def open_order(self, order_no: str, owner_no: str, contractor_no: str) -> None:
        """Open an order of `STAGES` stages."""

    async def command(self, order_no: str, operation: str, by: str, milestone: int | None = None) -> int:
        """Give a command; what it released."""

    async def withdraw(self, withdrawal_no: str, member_no: str, principal_fen: int) -> None:
        """Ask for a withdrawal."""


class Api(Protocol):
    """Who calls the API with the platform's key."""

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST what must succeed; the answer."""


class HttpDoor:
    """Over the API, with the platform's key."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def open_order(self, order_no: str, owner_no: str, contractor_no: str) -> None:
        """POST the contract."""
        stages = [
            {"name": f"Stage {number}", "kind": "acceptance", "amount_fen": STAGE_FEN}
            for number in range(1, STAGES + 1)
        ]
        await self._api.post(
            "/orders",
            order_no=order_no,
            owner_no=owner_no,
            contractor_no=contractor_no,
            total_fen=STAGE_FEN * STAGES,
            milestones=stages,
        )

    async def command(self, order_no: str, operation: str, by: str, milestone: int | None = None) -> int:
        """POST the command."""
        path = operation if milestone is None else f"milestones/{milestone}/{operation}"
        answer = await self._api.post(
            f"/orders/{order_no}/{path}", request_no=_request_no(order_no, operation, milestone), by=by
        )
        released_fen: int = answer["result"]["released_fen"]
        return released_fen

    async def withdraw(self, withdrawal_no: str, member_no: str, principal_fen: int) -> None:
        """POST the request."""
        await self._api.post(
            "/withdrawals", withdrawal_no=withdrawal_no, member_no=member_no, principal_fen=principal_fen
        )


class WorkflowDoor:
    """Past HTTP: a recorded consent and a message to the workflow, for each command."""

    def __init__(self, house: House, recorder: Recorder) -> None:
        self._client = house.client
        self._processes = Processes(house.client, answer_seconds=_ANSWER_SECONDS)
        self._recorder = recorder

    async def open_order(self, order_no: str, owner_no: str, contractor_no: str) -> None:
        """Record the contract, start the order's workflow and wait until the books have the order, as the API does."""
        stages = [
            {"name": f"Stage {number}", "kind": MilestoneKind.ACCEPTANCE.value, "amount_fen": STAGE_FEN}
            for number in range(1, STAGES + 1)
        ]
        terms = {
            "order_no": order_no,
            "owner_no": owner_no,
            "contractor_no": contractor_no,
            "total_fen": STAGE_FEN * STAGES,
            "milestones": stages,
        }
        await self._consent(opening_consent_no(order_no), "order", order_no, "open", PLATFORM_ITSELF, terms)
        await self._processes.start_order(
            PLATFORM_NO, order_no, owner_no=owner_no, contractor_no=contractor_no, total_fen=STAGE_FEN * STAGES
        )
        while True:
            if await get_object(self._recorder, PLATFORM_NO, "order", order_no) is not None:
                return
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)

    async def command(self, order_no: str, operation: str, by: str, milestone: int | None = None) -> int:
        """Record the consent, send the update and wait for its answer."""
        terms: dict[str, Any] = {}
        if operation == "pay":
            terms = pay_terms(total_fen=STAGE_FEN * STAGES, inspection_days=_INSPECTION_DAYS)
        elif milestone is not None:
            terms = milestone_terms(milestone=milestone, amount_fen=STAGE_FEN)
        request_no = _request_no(order_no, operation, milestone)
        await self._consent(request_no, "order", order_no, operation, by, terms)
        order = self._client.get_workflow_handle(order_workflow_id(PLATFORM_NO, order_no))
        result: CommandResult = await order.execute_update(
            operation,
            PartyMessage(request_no=request_no, by=by, milestone=milestone),
            id=request_no,
            result_type=CommandResult,
        )
        return result.released_fen

    async def withdraw(self, withdrawal_no: str, member_no: str, principal_fen: int) -> None:
        """Record the consent and start the withdrawal's workflow."""
        request_no = derived("", "withdrawal", withdrawal_no, "open")
        terms = withdrawal_terms(account_id="", principal_fen=principal_fen, fee_fen=0)
        await self._consent(request_no, "withdrawal", withdrawal_no, "withdraw", member_no, terms)
        await self._processes.start_withdrawal(
            PLATFORM_NO, withdrawal_no, member_no=member_no, principal_fen=principal_fen
        )

    async def _consent(
        self, consent_no: str, object_kind: str, object_no: str, operation: str, by: str, terms: dict[str, Any]
    ) -> None:
        await record_consent(
            self._recorder,
            NewConsent(
                platform_no=PLATFORM_NO,
                consent_no=consent_no,
                object_kind=object_kind,
                object_no=object_no,
                operation=operation,
                given_by=by,
                terms=terms,
                valid_for=_CONSENT_VALIDITY,
                asked=True,
                config_version=_CONFIG_VERSION,
            ),
        )


def _request_no(order_no: str, operation: str, milestone: int | None) -> str:
    return f"{order_no}-{operation}" if milestone is None else f"{order_no}-{operation}-{milestone}"
