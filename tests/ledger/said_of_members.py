"""Commands to members, mandates and account verifications as the registry gives them to the books, with its rows."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from escrow.domain.collections.mandates import REVOKE, SIGN, mandate_terms
from escrow.domain.members import mandate as of_mandates
from escrow.domain.members.closings import CLOSE, BeginClosing, CompleteClosing, closing_no
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.mandate import BankKnowsTheEnd, BankRefusesIt, BankTakesIt, LastDayIsOver, Revoke, Sign
from escrow.domain.members.member import AskIdentity, IdentityAnswered, IdentityUnanswered
from escrow.domain.members.states import MemberEvent
from escrow.domain.members.transitions import VerificationEvent
from escrow.domain.members.verification import Ask, CameBack, Command, Judge, TimeIsOver, WasNotSent, WasSent
from escrow.domain.members.verification_rules import MICRO_DEPOSIT_MAX_FEN, VerificationMethod
from escrow.domain.money.journal import Basis
from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import Consent
from escrow.registry.members.members import MemberKind
from tests.identities import asked, subject_of
from tests.ledger.books import HOME
from tests.ledger.said import ACCOUNT, MEMBER, Ground, Row, Said, Told, Worker

#: A member whose identity nobody knows yet.
_NEW = "M-2"
_CHECK, _CLOSING, _MANDATE, _VERIFICATION = "IC-1", "CL-1", "MD-1", "V-1"
_MATCHED = {"result": "match", "source": "test", "as_of": "2026-03-03"}

Take = Callable[[Worker], Awaitable[Told]]


def _basis(consent: Consent) -> Basis:
    return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)


# ---- members ----


def _of_member(take: Take) -> Said:
    return Said(kind="member", object_no=_NEW, take=take)


async def _asking(ground: Ground) -> Said:
    await ground.worker.registry.members.open(HOME, member_no=_NEW, kind=MemberKind.PERSON, name="李小红")

    async def take(worker: Worker) -> Told:
        await asked(worker.registry, HOME, _NEW, subject_of(MemberKind.PERSON), _CHECK)
        return Told(answer=await worker.registry.identity_checks.known(HOME, _CHECK))

    return _of_member(take)


def _heard(event: MemberEvent | None, outcome: dict[str, Any]) -> Take:
    async def take(worker: Worker) -> Told:
        return Told(answer=await worker.registry.identity_checks.answered(HOME, _CHECK, event=event, outcome=outcome))

    return take


async def _answering(ground: Ground) -> Said:
    await (await _asking(ground)).take(ground.worker)
    return _of_member(_heard(MemberEvent.IDENTITY_MATCHED, _MATCHED))


async def _silent(ground: Ground) -> Said:
    await (await _asking(ground)).take(ground.worker)
    await ground.passes("identity_check", _CHECK, "answer")
    return _of_member(_heard(None, {}))


async def _closing(ground: Ground) -> Said:
    await (await _answering(ground)).take(ground.worker)
    consent = _basis(await ground.consents("member", _NEW, CLOSE, {}, by=_NEW, number=_CLOSING))

    async def take(worker: Worker) -> Told:
        closing, is_new = await worker.registry.closings.begin(
            HOME, _NEW, _CLOSING, consent=consent, calendar=WorkingCalendar()
        )
        return Told(answer=closing, is_repeat=not is_new)

    return _of_member(take)


async def _closed(ground: Ground) -> Said:
    await (await _closing(ground)).take(ground.worker)
    await ground.passes("member_closing", closing_no(_NEW, _CLOSING), CLOSE)

    async def take(worker: Worker) -> Told:
        return Told(answer=await worker.registry.closings.complete(HOME, _NEW, _CLOSING))

    return _of_member(take)


# ---- mandates ----


def _of_mandate(take: Take) -> Said:
    return Said(kind="mandate", object_no=_MANDATE, take=take)


def _to_mandate(command: of_mandates.Command, **known: Any) -> Said:
    async def take(worker: Worker) -> Told:
        return Told(answer=await worker.registry.mandates.take(HOME, _MANDATE, command, **known))

    return _of_mandate(take)


async def _signing(ground: Ground) -> Said:
    today = (await books_now(ground.worker.recorder, HOME)).astimezone(SHANGHAI).date()
    terms = mandate_terms(account_id=ACCOUNT, per_debit_fen=100, per_day_fen=200, last_day=today + timedelta(days=30))
    consent = await ground.consents("mandate", _MANDATE, SIGN, terms, by=MEMBER)

    async def take(worker: Worker) -> Told:
        signed, is_new = await worker.registry.mandates.sign(consent)
        return Told(answer=signed, is_repeat=not is_new)

    return _of_mandate(take)


async def _signed(ground: Ground, *, taken: bool = False) -> None:
    await (await _signing(ground)).take(ground.worker)
    if taken:
        await _BANK_TAKES_IT.take(ground.worker)


_BANK_TAKES_IT = _to_mandate(BankTakesIt(payer_bank="ICBC"), bank_mandate_no="BM-1")


async def _taking(ground: Ground) -> Said:
    await _signed(ground)
    return _BANK_TAKES_IT


async def _refusing(ground: Ground) -> Said:
    await _signed(ground)
    return _to_mandate(BankRefusesIt(reason="account_closed"))


async def _revoking(ground: Ground) -> Said:
    await _signed(ground, taken=True)
    consent = await ground.consents("mandate", _MANDATE, REVOKE, {}, by=MEMBER)

    async def take(worker: Worker) -> Told:
        return Told(answer=await worker.registry.mandates.revoke(consent))

    return _of_mandate(take)


async def _expiring(ground: Ground) -> Said:
    await _signed(ground, taken=True)
    await ground.passes("mandate", _MANDATE, "last_day")
    return _to_mandate(LastDayIsOver())


async def _deregistering(ground: Ground) -> Said:
    await (await _revoking(ground)).take(ground.worker)
    return _to_mandate(BankKnowsTheEnd())


# ---- account verifications ----


def _of_verification(take: Callable[[Worker], Awaitable[object]]) -> Said:
    """Whoever does something to it then looks where it stands."""

    async def told(worker: Worker) -> Told:
        await take(worker)
        return Told(answer=await worker.registry.verifications.get(HOME, _VERIFICATION))

    return Said(kind="account_verification", object_no=_VERIFICATION, take=told)


def _to_verification(command: Command) -> Said:
    return _of_verification(lambda worker: worker.registry.verifications.take(HOME, _VERIFICATION, command))


async def _verifying(ground: Ground) -> Said:
    await ground.own_money(MICRO_DEPOSIT_MAX_FEN)
    terms = {"account_id": ACCOUNT}
    consent = _basis(await ground.consents("account_verification", _VERIFICATION, "verify_account", terms, by=MEMBER))
    return _of_verification(
        lambda worker: worker.registry.verifications.ask(
            HOME, MEMBER, ACCOUNT, _VERIFICATION, VerificationMethod.MICRO_DEPOSIT, mobile="", consent=consent
        )
    )


async def _sending(ground: Ground) -> Said:
    await (await _verifying(ground)).take(ground.worker)
    now = await books_now(ground.worker.recorder, HOME)
    await ground.worker.registry.verification_sendings.open(HOME, _VERIFICATION, _VERIFICATION, occurred_at=now)
    return _of_verification(lambda worker: worker.registry.verification_sendings.was_sent(HOME, _VERIFICATION, 1))


async def _not_sending(ground: Ground) -> Said:
    await (await _verifying(ground)).take(ground.worker)
    return _to_verification(WasNotSent(event=VerificationEvent.BANK_DECLINED, reason="account_closed"))


async def _judging(ground: Ground) -> Said:
    await (await _sending(ground)).take(ground.worker)
    tries = ground.worker.registry.verification_tries
    number = await tries.count(HOME, _VERIFICATION, "TR-1", amount_fen=13, reference="0815")
    await tries.answered(HOME, _VERIFICATION, number, CodeCheck.ACCEPTED)
    return _to_verification(Judge())


async def _too_late(ground: Ground) -> Said:
    await (await _sending(ground)).take(ground.worker)
    await ground.passes("account_verification", _VERIFICATION, "confirm")
    return _to_verification(TimeIsOver())


async def _coming_back(ground: Ground) -> Said:
    await (await _sending(ground)).take(ground.worker)
    due = await ground.owner.fetchval("SELECT bank_request_no FROM verification_sending")
    return _of_verification(lambda worker: worker.registry.verification_sendings.returned(HOME, due))


ROWS = [
    Row(command=AskIdentity, posts="member.identity_asked", prepared=_asking),
    Row(command=IdentityAnswered, posts="member.identity_verified", prepared=_answering),
    Row(command=IdentityUnanswered, posts="member.identity_unanswered", prepared=_silent),
    Row(command=BeginClosing, posts="member.closing_began", prepared=_closing),
    Row(command=CompleteClosing, posts="member.closed", prepared=_closed),
    Row(command=Sign, posts="mandate.signed", prepared=_signing),
    Row(command=BankTakesIt, posts="mandate.active", prepared=_taking),
    Row(command=BankRefusesIt, posts="mandate.refused", prepared=_refusing),
    Row(command=Revoke, posts="mandate.revoked", prepared=_revoking),
    Row(command=LastDayIsOver, posts="mandate.expired", prepared=_expiring),
    Row(command=BankKnowsTheEnd, posts="mandate.deregistered", prepared=_deregistering),
    Row(command=Ask, posts="account_verification.asked", prepared=_verifying),
    Row(command=WasSent, posts="account_verification.sent", prepared=_sending),
    Row(command=WasNotSent, posts="account_verification.failed", prepared=_not_sending),
    Row(command=Judge, posts="account_verification.verified", prepared=_judging),
    Row(command=TimeIsOver, posts="account_verification.expired", prepared=_too_late),
    Row(command=CameBack, posts="account_verification.returned", prepared=_coming_back),
]
