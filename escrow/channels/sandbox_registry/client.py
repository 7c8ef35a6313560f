"""Client of the sandbox's registers of persons and businesses."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel

from escrow.channels.identity import CompanyQuestion
from escrow.channels.sandbox_bank.connection import BankConnection, path
from escrow.channels.sandbox_registry.messages import CompanyAnswer, PersonAnswer, company_message
from escrow.domain.errors import BankDeclined, BankUnreachable
from escrow.domain.members.identity_checks import CompanyCheck, PersonCheck

_M = TypeVar("_M", bound=BaseModel)


class SandboxRegistry:
    """Implements `IdentityRegistry`; the protocol says what its errors mean."""

    def __init__(self, connection: BankConnection) -> None:
        self._connection = connection

    async def check_person(self, *, custody_account_no: str, name: str, citizen_id: str) -> PersonCheck:
        """Whether a person of this name has this citizen ID number."""
        content = {"acctNo": custody_account_no, "name": name, "idNo": citizen_id}
        return (await self._look_up(path("identity", "person"), content, PersonAnswer)).as_check()

    async def check_company(self, question: CompanyQuestion, *, custody_account_no: str) -> CompanyCheck:
        """Whether a company is what it says it is."""
        content = {"acctNo": custody_account_no, **company_message(question)}
        return (await self._look_up(path("identity", "company"), content, CompanyAnswer)).as_check()

    async def _look_up(self, target: str, content: Mapping[str, str], message: type[_M]) -> _M:
        try:
            return await self._connection.ask(target, message, content)
        except BankDeclined as error:
            if error.code == "service_unavailable":
                raise BankUnreachable("registry_unavailable", "The register is out of service; ask again.") from error
            raise
