"""What the endpoints use, and whose call it is."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.background import Background
from api.catalogue import CATALOGUE
from api.leased_line import require_line_open_to
from api.problems import Unauthorized
from api.processes import Processes
from escrow.channels.bank import Bank
from escrow.ledger.engine import Reader, Recorder
from escrow.registry.registry import Registry
from escrow.settings import Settings

_BEARER = HTTPBearer(auto_error=False, description="Key of your platform, shown once when it was issued.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything outside this process, each reached when first needed."""

    settings: Settings
    reader: Reader
    recorder: Recorder
    registry: Registry
    processes: Processes
    bank: Bank
    background: Background


async def used_services(request: Request) -> Services:
    """Services of the running application; a coroutine, since FastAPI sends plain functions through a thread."""
    services: Services = request.app.state.services
    return services


UsedServices = Annotated[Services, Depends(used_services)]


async def caller_platform(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    services: UsedServices,
) -> str:
    """Platform whose key the caller holds; all that the call sees and does is this platform's.

    Raises:
        Unauthorized: no key, an unknown or a revoked one.
        Refused: the key came over a line, or with a certificate, that is not open to its platform.
    """
    platform_no = credentials and await services.registry.platforms.of_key(credentials.credentials)
    if not platform_no:
        raise Unauthorized("unauthorized", CATALOGUE["unauthorized"].advice)
    access = await services.registry.accesses.of_caller(platform_no)
    require_line_open_to(access, request.scope)
    return platform_no


CallerPlatform = Annotated[str, Depends(caller_platform)]


def address_of(request: Request) -> str | None:
    """Where a request came from, None when unknown; kept with the consent that it gives."""
    return request.client.host if request.client else None
