"""The caller's own configuration: as it is, as it was in every version, and set anew."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices, address_of
from api.problems import problems
from api.schemas import Body, RequestNumber, Time, View
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, keep_refusal, raise_kept_refusal, record_consent
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.platforms.configurations import ConfigVersion

router = APIRouter(prefix="/platform/configuration", tags=["platform"])

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the version, from 1.")]


class ConfigurationBody(Body):
    """The whole configuration as it is to be; what is left out gets its default."""

    request_no: RequestNumber
    config: PlatformConfig


class ConfigurationView(View):
    """One version of the configuration. Versions are added and never changed; an order keeps the one it began with."""

    version: int
    config: PlatformConfig
    recorded_at: Time
    recorded_by: str = Field(description="`operator` or `platform`")
    request_no: str = Field(description="The platform's request that set it; else empty.")


class VersionsQuery(Body):
    """Which versions to list."""

    before: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Only versions below this one.")
    limit: int = Field(default=20, ge=1, le=100)


class ConfigurationPage(View):
    """Versions, newest first."""

    versions: list[ConfigurationView]


def _view(version: ConfigVersion) -> ConfigurationView:
    return ConfigurationView(
        version=version.version,
        config=version.config,
        recorded_at=version.recorded_at,
        recorded_by=version.recorded_by,
        request_no=version.request_no,
    )


@router.get("", summary="Your configuration", responses=problems())
async def get_configuration(platform_no: CallerPlatform, services: UsedServices) -> ConfigurationView:
    """The configuration under which everything new begins."""
    return _view(await services.registry.platforms.configurations.current(platform_no))


@router.get("/versions", summary="List versions of your configuration", responses=problems())
async def list_configurations(
    query: Annotated[VersionsQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> ConfigurationPage:
    """Every configuration there ever was, newest first."""
    versions = await services.registry.platforms.configurations.history(
        platform_no, before=query.before, limit=query.limit
    )
    return ConfigurationPage(versions=[_view(version) for version in versions])


@router.get("/versions/{version}", summary="One version of your configuration", responses=problems("not_found"))
async def get_configuration_version(
    version: VersionNumber, platform_no: CallerPlatform, services: UsedServices
) -> ConfigurationView:
    """The configuration as it was under this number."""
    return _view(await services.registry.platforms.configurations.version(platform_no, version))


@router.put(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Set your configuration",
    responses=problems(
        "request_no_reused",
        "operator_only",
        "basis_missing",
        "basis_void",
        "basis_expired",
        "basis_used",
        "basis_mismatch",
        repeated=ConfigurationView,
    ),
)
async def put_configuration(
    body: ConfigurationBody,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> ConfigurationView:
    """Add a version. Running orders keep theirs.

    Your key may switch functions, set terms for what begins from now on, and require authorisations. What members'
    money is behind only an operator may open: the business model, dropping an authorisation, letting codes pass
    through you, origins that may embed pages, where members are sent back to from them, withdrawals without a verified
    identity or to unverified accounts, and returning money in suspense yourself.
    """
    consent, _ = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=body.request_no,
            object_kind="platform",
            object_no=platform_no,
            operation="configure",
            given_by=PLATFORM_ITSELF,
            terms={"config": body.config.model_dump(mode="json")},
            valid_for=CONSENT_VALIDITY,
            remote_address=address_of(request),
        ),
    )
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    try:
        version, is_new = await services.registry.platforms.configurations.set_by_platform(
            platform_no,
            body.config,
            request_no=body.request_no,
            consent=Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash),
        )
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, body.request_no, refusal)
        raise
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return _view(version)
