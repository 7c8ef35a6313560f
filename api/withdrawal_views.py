"""How a withdrawal is shown, whatever asked for it, and how an answer waits until its money is held."""

from pydantic import Field

from api.dependencies import Services
from api.problems import OrderBusy
from api.schemas import BalanceFen, Time, View
from api.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.consents import Consent, answer_of, keep_refusal
from escrow.ledger.objects import BusinessObject, get_object
from workflows.messages import withdrawal_workflow_id


class AttemptView(View):
    """One payment order to the bank."""

    number: int
    rail: Rail
    request_no: str
    outcome: str = Field(description="`sent`, `succeeded`, `failed` or `never_arrived`")
    reason: str
    bank_serial_no: str


class WithdrawalView(View):
    """A withdrawal as the ledger has it, with the reasons of its route."""

    withdrawal_no: str
    status: WithdrawalStatus
    member_no: str | None
    account_id: str
    order_no: str = Field(description="The order whose release it follows by standing order; else empty.")
    credit_no: str = Field(description="The money in suspense that it sends back; else empty.")
    principal_fen: BalanceFen
    fee_fen: BalanceFen
    rail: Rail | None = Field(description="The rail it was last sent over.")
    attempts: list[AttemptView]
    reasons: list[str] = Field(description="Every rail with its fee, arrival, and why it was or was not taken.")
    opens_at: Time | None = Field(description="When a rail that can carry it opens, while it is queued.")
    sequence_no: int = Field(description="Number of the withdrawal's last event.")
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["withdrawal/HOME/W-1"])


def withdrawal_view(withdrawal: BusinessObject) -> WithdrawalView:
    """A withdrawal as the ledger has it."""
    body = withdrawal.body
    attempts = [AttemptView.model_validate(attempt) for attempt in body["attempts"]]
    return WithdrawalView(
        withdrawal_no=withdrawal.object_no,
        status=WithdrawalStatus(withdrawal.status),
        member_no=body["member_no"] or None,
        account_id=body["account_id"],
        order_no=body["order_no"],
        credit_no=body.get("credit_no", ""),
        principal_fen=body["principal_fen"],
        fee_fen=body["fee_fen"],
        rail=attempts[-1].rail if attempts else None,
        attempts=attempts,
        reasons=body["route"],
        opens_at=body["opens_at"],
        sequence_no=withdrawal.sequence_no,
        workflow_id=withdrawal_workflow_id(withdrawal.platform_no, withdrawal.object_no),
    )


async def held(
    services: Services, consent: Consent, withdrawal_no: str, *, member_no: str | None, principal_fen: int
) -> BusinessObject:
    """The withdrawal that a recorded consent asks for, once its money is held; a process that does not run is started.

    Args:
        member_no: whose money it is, for those who look.

    Raises:
        Refused: the books say no, now or at the first time.
        OrderBusy: not within the time that a command may take.
        TemporalUnavailable: nobody answers.
    """
    reader, platform_no = services.reader, consent.platform_no

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(reader, platform_no, "withdrawal", withdrawal_no)
        answered = await answer_of(reader, platform_no, consent.consent_no)
        if found is not None and answered.answer is None and answered.refusal is None:
            return Refused("object_exists", f"{withdrawal_no} is the number of another withdrawal; use a new one.")
        return answered.refusal or found

    found = await look()
    if found is None or (isinstance(found, BusinessObject) and not WithdrawalStatus(found.status).is_final):
        await services.processes.start_withdrawal(
            platform_no, withdrawal_no, member_no=member_no, principal_fen=principal_fen
        )
        found = await until(services, look, lambda seen: seen is not None)
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    if isinstance(found, Refused):
        await keep_refusal(reader, platform_no, consent.consent_no, found)
        raise found
    if found.status == WithdrawalStatus.REFUSED:  # as the first release entered what it refused
        raise Refused(found.body["refusal"], " ".join(found.body["route"]))
    return found
