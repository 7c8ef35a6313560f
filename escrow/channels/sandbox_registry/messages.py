"""Messages of the sandbox's registers, read strictly: what does not fit is no answer."""

from datetime import date
from typing import Literal

from escrow.channels.identity import CompanyQuestion
from escrow.channels.sandbox_bank.messages import Message, WireAmount
from escrow.domain.members.identity_checks import CompanyCheck, IdentityResult, PersonCheck, RegistrationStatus
from escrow.domain.money.amounts import yuan

_Result = Literal["MATCH", "MISMATCH", "NOT_FOUND"]
_PARTS = {"NAME": "name", "LEGAL_REP": "legal_representative", "AGENT": "agent"}


class PersonAnswer(Message):
    """Answer about a person."""

    result: _Result
    source: str
    as_of: date

    def as_check(self) -> PersonCheck:
        """In our terms."""
        return PersonCheck(result=IdentityResult(self.result.lower()), source=self.source, as_of=self.as_of)


class CompanyAnswer(Message):
    """Answer about a business."""

    result: _Result
    mismatches: tuple[Literal["NAME", "LEGAL_REP", "AGENT"], ...]
    status: Literal["ACTIVE", "CANCELLED", "REVOKED"] | None
    registered_capital: WireAmount | None
    paid_in_capital: WireAmount | None
    source: str
    as_of: date

    def as_check(self) -> CompanyCheck:
        """In our terms."""
        return CompanyCheck(
            result=IdentityResult(self.result.lower()),
            mismatches=tuple(_PARTS[part] for part in self.mismatches),
            status=None if self.status is None else RegistrationStatus(self.status.lower()),
            registered_capital_fen=None if self.registered_capital is None else yuan(self.registered_capital),
            paid_in_capital_fen=None if self.paid_in_capital is None else yuan(self.paid_in_capital),
            source=self.source,
            as_of=self.as_of,
        )


def company_message(question: CompanyQuestion) -> dict[str, str]:
    """Wire form of a question about a business."""
    return {
        "name": question.name,
        "creditCode": question.credit_code,
        "legalRepName": question.legal_representative_name,
        "legalRepIdNo": question.legal_representative_id,
        "agentName": question.agent_name,
        "agentIdNo": question.agent_id,
    }
