"""What we ask of an identity registry, as a protocol. Asking changes nothing, so it may be repeated at will."""

from dataclasses import dataclass
from typing import Protocol

from escrow.domain.members.identity_checks import CompanyCheck, PersonCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyQuestion:
    """A company or sole trader as it describes itself; parts left empty are not compared.

    Args:
        credit_code: unified social credit code.
        legal_representative_id: citizen ID number of the legal representative (a sole trader's operator).
        agent_name: who acts for the company here, with `agent_id` as citizen ID number.
    """

    name: str
    credit_code: str
    legal_representative_name: str
    legal_representative_id: str = ""
    agent_name: str = ""
    agent_id: str = ""


class IdentityRegistry(Protocol):
    """Registers of persons and businesses, asked on behalf of a platform's custody account.

    Raises:
        BankDeclined: `identity_number_invalid`: a number's check digit is wrong.
        BankUnreachable: the registry is down or gave no readable answer; ask again later.
    """

    async def check_person(self, *, custody_account_no: str, name: str, citizen_id: str) -> PersonCheck:
        """Whether a person of this name has this citizen ID number."""
        ...

    async def check_company(self, question: CompanyQuestion, *, custody_account_no: str) -> CompanyCheck:
        """Whether a company is what it says it is, its registration and its capital."""
        ...
