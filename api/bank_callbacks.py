"""The bank's signed notices. They prove nothing: they only wake who then asks the bank."""

from typing import Any

from fastapi import APIRouter, Request, status

from activities.settlements import pay_in_no_of
from api.dependencies import UsedServices
from api.problems import problems
from workflows.messages import BankNoticeSignal

router = APIRouter(prefix="/bank", tags=["bank"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "The bank's own message; headers Bank-Notice-No, Bank-Timestamp and Bank-Signature sign it.",
    }
}


@router.post(
    "/notices",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Receive a notice of the bank",
    openapi_extra=_BODY,
    responses=problems(
        "notice_signature_invalid",
        "notice_too_old",
        "notice_unreadable",
        "ledger_unavailable",
        "temporal_unavailable",
        "internal_error",
        always=(),
    ),
)
async def receive_notice(request: Request, services: UsedServices) -> None:
    """Answered 204 once it is passed on, else not: then the bank sends it again. Of strangers' accounts: 204 too."""
    notice = services.bank.verify_notice(request.headers, await request.body())
    platform_no = await services.registry.platforms.of_custody_account(notice.custody_account_no)
    if platform_no is None:
        return
    signal = BankNoticeSignal(notice_id=notice.notice_id, kind=notice.kind)
    withdrawal_no = _withdrawal_of(notice.request_no, platform_no) if notice.kind == "payout" else None
    if withdrawal_no is not None:
        await services.processes.wake_withdrawal(platform_no, withdrawal_no, signal)
        return  # it books the payout's line; of a charge, which is a line of its own, the bank tells by itself
    if notice.kind in ("collection", "collection_refund"):
        pay_in_no = pay_in_no_of(notice.request_no, platform_no)
        if pay_in_no is not None:
            await services.processes.wake_collection(platform_no, pay_in_no, signal)
        return  # its money comes with a settlement, of which the bank tells by itself
    await services.processes.wake_bank_watch(platform_no, signal)


def _withdrawal_of(bank_request_no: str, platform_no: str) -> str | None:
    """Number of the withdrawal that sent a payout: `HOME/W-1:payout:2` → `W-1`; None for a number not ours."""
    number = bank_request_no.removeprefix(f"{platform_no}/")
    withdrawal_no, found, _ = number.rpartition(":payout:")
    return withdrawal_no if found and number != bank_request_no else None
