"""Members whose identity is verified, where the check itself is not the point."""

import itertools
from datetime import timedelta

from escrow.domain.members.states import MemberEvent
from escrow.domain.money.journal import Basis
from escrow.ledger.consents import NewConsent, record_consent
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from escrow.registry.registry import Registry

#: Numbers with right check digits: UnionPay's public test identity, and a made-up credit code.
CITIZEN_ID = "341126197709218366"
CREDIT_CODE = "91440300MA5DRJ0A26"
_NUMBERS = itertools.count(1)


def subject_of(kind: MemberKind) -> IdentitySubject:
    """What a member of this kind tells of itself."""
    if kind is MemberKind.PERSON:
        return IdentitySubject(id_no=CITIZEN_ID)
    return IdentitySubject(id_no=CREDIT_CODE, legal_representative_name="王小明", legal_representative_id=CITIZEN_ID)


async def asked(
    registry: Registry, platform_no: str, member_no: str, subject: IdentitySubject, check_no: str = ""
) -> str:
    """Keep a question about a member with its consent, as the API does; its number."""
    check_no = check_no or f"IC-made-{next(_NUMBERS)}"
    consent = NewConsent(
        platform_no=platform_no,
        consent_no=check_no,
        object_kind="member",
        object_no=member_no,
        operation="check_identity",
        given_by=member_no,
        terms={"subject": registry.identity_checks.fingerprint(platform_no, subject)},
        valid_for=timedelta(days=1),
    )
    await record_consent(registry.recorder, consent)
    await registry.identity_checks.ask(
        platform_no,
        member_no,
        check_no,
        subject,
        consent=Basis(kind="consent", reference=check_no, operation_hash=consent.operation_hash),
    )
    return check_no


async def verify(registry: Registry, platform_no: str, member_no: str, check_no: str = "") -> None:
    """Record that the registry knows the member as it says it is; nobody is asked."""
    member = await registry.members.get(platform_no, member_no)
    check_no = await asked(registry, platform_no, member_no, subject_of(member.kind), check_no)
    await registry.identity_checks.answered(
        platform_no,
        check_no,
        event=MemberEvent.IDENTITY_MATCHED,
        outcome={"result": "match", "source": "test", "as_of": "2026-03-03"},
    )
