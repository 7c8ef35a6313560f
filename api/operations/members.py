"""Members that leave."""

from api.dependencies import Services
from api.member_consents import consent_of
from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.money.journal import Basis
from escrow.domain.operations.members import CloseMember
from escrow.domain.time.calendars import WorkingCalendar
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, keep_refusal, raise_kept_refusal


async def close(services: Services, platform_no: str, operation: CloseMember, *, remote_address: str | None) -> None:
    """Begin a closing, once.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no, now or at the first time.
        TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    member_no, request_no = operation.member_no, operation.request_no
    current = await services.registry.platforms.configurations.current(platform_no)
    await services.registry.members.get(platform_no, member_no)
    consent, _ = await consent_of(
        services,
        NewConsent(
            platform_no=platform_no,
            consent_no=request_no,
            object_kind="member",
            object_no=member_no,
            operation="close",
            given_by=member_no,
            terms={},
            valid_for=CONSENT_VALIDITY,
            remote_address=remote_address,
            config_version=current.version,
        ),
        current.config,
        operation.authorised_as,
        carry_out=operation.carry_out(),
    )
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    try:
        closing, _ = await services.registry.closings.begin(
            platform_no,
            member_no,
            request_no,
            consent=Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash),
            calendar=WorkingCalendar(overrides=services.settings.working_days),
        )
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, request_no, refusal)
        raise
    if closing.status is MemberStatus.CLOSING:
        await services.processes.look_after_closing(platform_no, member_no, closing.request_no)
