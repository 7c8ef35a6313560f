"""The activity of an identity check: ask the registry and record what it answered, as one step that may be repeated.

Asking and recording are not two steps: nobody can have an answer recorded that the registry did not give.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.calling import call_if_long
from activities.heartbeat import heartbeating
from escrow.channels.identity import CompanyQuestion, IdentityRegistry
from escrow.domain.decisions import NotDue
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown
from escrow.domain.members.identity_checks import CompanyCheck, PersonCheck
from escrow.domain.members.states import MemberEvent, event_of
from escrow.ledger.attention import person_came
from escrow.ledger.engine import Recorder
from escrow.ledger.progress import ObjectKey
from escrow.registry.members.identity_checks import IdentityChecks, IdentitySubject
from escrow.registry.members.members import Member, MemberKind
from escrow.registry.platforms.platforms import Platforms


class CheckRef(BaseModel):
    """Names one identity check; whom it is about stays in the ledger."""

    model_config = ConfigDict(frozen=True)

    platform_no: str
    check_no: str


class IdentityActivities:
    """Activities of identity checks."""

    def __init__(
        self,
        recorder: Recorder,
        registry: IdentityRegistry,
        platforms: Platforms,
        checks: IdentityChecks,
    ) -> None:
        self._recorder = recorder
        self._registry = registry
        self._platforms = platforms
        self._checks = checks

    @activity.defn
    async def check_identity(self, ref: CheckRef) -> str:
        """Ask the registry and record its answer; the check's status. A second time the recorded answer stays.

        A registry that has not answered for a day leaves the check unanswered, and the member what it is. Before that
        a person is called.

        Raises:
            BankUnreachable: the registry gave no answer; ask again.
            LedgerUnavailable: repeat.
            Refused: `not_found`.
        """
        check = await self._checks.known(ref.platform_no, ref.check_no)
        if check.status != "asked":
            return check.status
        member, subject = await self._checks.subject(ref.platform_no, ref.check_no)
        event: MemberEvent | None
        silence: BankUnreachable | OutcomeUnknown
        async with heartbeating():
            try:
                answer = await self._ask(member, subject)
            except BankDeclined as declined:
                event, outcome = MemberEvent.IDENTITY_NOT_MATCHED, {"result": declined.code, "source": "", "as_of": ""}
            except (BankUnreachable, OutcomeUnknown) as silent:
                event, outcome, silence = None, {"result": "no_answer"}, silent
            else:
                event, outcome = event_of(answer), _outcome(answer)
        try:
            check = await self._checks.answered(ref.platform_no, ref.check_no, event=event, outcome=outcome)
        except NotDue:
            await call_if_long(self._recorder, _key(ref), silence.message, asked_at=check.asked_at)
            raise silence from None
        await person_came(self._recorder, _key(ref))
        return check.status

    async def _ask(self, member: Member, subject: IdentitySubject) -> PersonCheck | CompanyCheck:
        platform = await self._platforms.get(member.platform_no)
        if member.kind is MemberKind.PERSON:
            return await self._registry.check_person(
                custody_account_no=platform.custody_account_no, name=member.name, citizen_id=subject.id_no
            )
        return await self._registry.check_company(
            CompanyQuestion(
                name=member.name,
                credit_code=subject.id_no,
                legal_representative_name=subject.legal_representative_name,
                legal_representative_id=subject.legal_representative_id,
                agent_name=subject.agent_name,
                agent_id=subject.agent_id,
            ),
            custody_account_no=platform.custody_account_no,
        )


def _key(ref: CheckRef) -> ObjectKey:
    return ObjectKey(platform_no=ref.platform_no, kind="identity_check", object_no=ref.check_no)


def _outcome(answer: PersonCheck | CompanyCheck) -> dict[str, Any]:
    """The answer as it is kept: no personal data, with its source and the day its knowledge belongs to."""
    outcome: dict[str, Any] = {
        "result": answer.result.value,
        "source": answer.source,
        "as_of": answer.as_of.isoformat(),
    }
    if isinstance(answer, CompanyCheck):
        outcome |= {
            "mismatches": list(answer.mismatches),
            "registration_status": None if answer.status is None else answer.status.value,
            "registered_capital_fen": answer.registered_capital_fen,
            "paid_in_capital_fen": answer.paid_in_capital_fen,
        }
    return outcome
