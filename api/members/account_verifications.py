"""Verification of bank accounts: by a micro-deposit whose amount the holder types, or by a UnionPay check."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response, status
from pydantic import Field

from api.catalogue import CATALOGUE
from api.dependencies import CallerPlatform, Services, UsedServices
from api.members.consent_given import ConsentGiven
from api.problems import OrderBusy, problems
from api.schemas import Body, PathNumber, RequestNumber, Time, View
from api.temporal_calls import brought
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.verification_rules import VerificationMethod, VerificationStatus
from escrow.domain.money.journal import Basis
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, keep_refusal, raise_kept_refusal, record_consent
from escrow.registry.accounts.verification_rows import AccountVerification

router = APIRouter(prefix="/members/{member_no}/bank-accounts/{account_id}/verify", tags=["bank accounts"])

_LOOK_EVERY_SECONDS = 0.05
_WAITS = (VerificationStatus.ASKED, VerificationStatus.SENT)
_BASIS = ("basis_missing", "basis_void", "basis_expired", "basis_used", "basis_mismatch")
_SENDING = ("account_not_bound", "insufficient_balance", "verification_too_soon", "verification_day_limit")
_ASKING = (
    "not_found",
    "request_no_reused",
    "function_off",
    "member_state",
    "account_verified",
    "identity_required",
    *_SENDING,
    *_BASIS,
    "temporal_unavailable",
)


class MicroDepositOpening(Body):
    """A wish for a micro-deposit, under a number by which the verification is known from now on."""

    request_no: RequestNumber
    consent: ConsentGiven


class UnionPayOpening(MicroDepositOpening):
    """A wish for a UnionPay check. Name and ID number are those that the identity check verified."""

    mobile: str = Field(
        pattern=r"^1[3-9]\d{9}$",
        description="The mobile that the card's bank knows; kept encrypted.",
        examples=["13552535506"],
    )


class SendingAgain(Body):
    """A wish for another micro-deposit or code."""

    request_no: RequestNumber


class AmountTyped(Body):
    """What the holder typed of a micro-deposit; kept encrypted."""

    request_no: RequestNumber
    amount_fen: int = Field(ge=1, le=99, strict=True, description="Amount in fen; at most 50 are ever sent.")
    reference: str = Field(pattern=r"^[A-Za-z0-9]{5}$", description="The five characters from the short message.")


class CodeTyped(Body):
    """The code that the holder typed; kept encrypted."""

    request_no: RequestNumber
    code: str = Field(pattern=r"^\d{6}$", description="The six digits from the short message.")


class AccountVerificationView(View):
    """A verification; neither amount nor code nor mobile is ever shown."""

    request_no: str
    member_no: str
    account_id: str
    method: VerificationMethod
    status: VerificationStatus
    reason: str = Field(description="Why it failed: `too_many_tries`, `card_bank_not_supported`, …; else empty.")
    tries_left: int
    asked_at: Time
    expires_at: Time | None = Field(description="Until when it can be confirmed, once something was sent.")


class TryView(View):
    """How one try compared, and what the verification is by it."""

    outcome: CodeCheck
    verification: AccountVerificationView


@router.post(
    "/micro-deposit",
    status_code=status.HTTP_201_CREATED,
    summary="Verify an account by a micro-deposit",
    responses=problems(*_ASKING, "no_mobile", repeated=AccountVerificationView),
)
async def send_micro_deposit(
    member_no: PathNumber,
    account_id: PathNumber,
    body: MicroDepositOpening,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AccountVerificationView:
    """Send at most 0.50 yuan of the platform's own money to the account, and a reference by SMS.

    The reference goes to the member's mobile, of a company to that of its agent, after its identity was verified.
    Three tries, 48 hours. Answered with `asked` when the bank takes long: repeat the call, or look again.
    """
    return await _begin(
        services, platform_no, member_no, account_id, body, VerificationMethod.MICRO_DEPOSIT, "", response
    )


@router.post(
    "/unionpay",
    status_code=status.HTTP_201_CREATED,
    summary="Verify a card by a UnionPay check",
    responses=problems(*_ASKING, "unionpay_persons_only", repeated=AccountVerificationView),
)
async def start_unionpay_check(
    member_no: PathNumber,
    account_id: PathNumber,
    body: UnionPayOpening,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AccountVerificationView:
    """Have name, ID number, card and mobile compared, and a code sent to the mobile, good for 120 seconds.

    For persons and sole traders whose identity is verified, with cards of fourteen banks. Three tries, 30 minutes.
    """
    method = VerificationMethod.UNIONPAY
    return await _begin(services, platform_no, member_no, account_id, body, method, body.mobile, response)


@router.get("/{verification_no}", summary="One verification", responses=problems("not_found"))
async def get_verification(
    member_no: PathNumber,
    account_id: PathNumber,
    verification_no: PathNumber,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AccountVerificationView:
    """Where the verification stands."""
    verifications = services.registry.verifications
    return await _view(services, await verifications.of_account(platform_no, member_no, account_id, verification_no))


@router.post(
    "/{verification_no}/resend",
    summary="Send it again",
    responses=problems(
        "not_found",
        "request_no_reused",
        *_SENDING,
        "verification_state",
        "verification_not_sent",
        "temporal_unavailable",
        "order_busy",
    ),
)
async def send_again(
    member_no: PathNumber,
    account_id: PathNumber,
    verification_no: PathNumber,
    body: SendingAgain,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AccountVerificationView:
    """Send another micro-deposit or code; the one before no longer counts, and the tries stay counted.

    Two minutes after the last one at the earliest, five a day for one bank account.
    """
    verifications, sendings = services.registry.verifications, services.registry.verification_sendings
    known = await verifications.of_account(platform_no, member_no, account_id, verification_no)
    if body.request_no == verification_no:
        raise Refused("request_no_reused", f"{verification_no} began the verification; use a new number.")
    if known.status not in _WAITS:
        raise _waits_for_nothing(known)
    now = await books_now(services.reader, platform_no)
    await sendings.open(platform_no, verification_no, body.request_no, occurred_at=now)
    await _brought(
        services,
        platform_no,
        verification_no,
        lambda: services.processes.send_verification_again(platform_no, verification_no, body.request_no),
    )
    is_sent = await sendings.require_sent(platform_no, verification_no, body.request_no)
    verification = await verifications.get(platform_no, verification_no)
    if not is_sent:
        raise _unheard(verification)
    return await _view(services, verification)


_CONFIRMING = problems(
    "not_found",
    "request_no_reused",
    "verification_state",
    "verification_method",
    "verification_tries_spent",
    "temporal_unavailable",
    "order_busy",
)


@router.post("/{verification_no}/confirm-amount", summary="Confirm a micro-deposit", responses=_CONFIRMING)
async def confirm_amount(
    member_no: PathNumber,
    account_id: PathNumber,
    verification_no: PathNumber,
    body: AmountTyped,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> TryView:
    """Try an amount under its reference; the third wrong try ends the verification."""
    await services.registry.verifications.of_account(platform_no, member_no, account_id, verification_no)
    number = await services.registry.verification_tries.count(
        platform_no,
        verification_no,
        body.request_no,
        amount_fen=body.amount_fen,
        reference=body.reference.upper(),
    )
    return await _compared(services, platform_no, verification_no, number)


@router.post("/{verification_no}/confirm-code", summary="Confirm a UnionPay check", responses=_CONFIRMING)
async def confirm_code(
    member_no: PathNumber,
    account_id: PathNumber,
    verification_no: PathNumber,
    body: CodeTyped,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> TryView:
    """Try a code; the third wrong try ends the verification. An expired code is no try: have it sent again."""
    await services.registry.verifications.of_account(platform_no, member_no, account_id, verification_no)
    number = await services.registry.verification_tries.count(
        platform_no, verification_no, body.request_no, code=body.code
    )
    return await _compared(services, platform_no, verification_no, number)


async def _begin(
    services: Services,
    platform_no: str,
    member_no: str,
    account_id: str,
    body: MicroDepositOpening,
    method: VerificationMethod,
    mobile: str,
    response: Response,
) -> AccountVerificationView:
    await services.registry.bank_accounts.get(platform_no, member_no, account_id)
    verifications = services.registry.verifications
    consent, _ = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=body.request_no,
            object_kind="account_verification",
            object_no=body.request_no,
            operation="verify_account",
            given_by=member_no,
            terms={
                "account_id": account_id,
                "method": method.value,
                "mobile": verifications.fingerprint(platform_no, mobile),
            },
            valid_for=CONSENT_VALIDITY,
            text_version=body.consent.text_version,
            remote_address=str(body.consent.address),
        ),
    )
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    basis = Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)
    try:
        verification, is_new = await verifications.ask(
            platform_no, member_no, account_id, body.request_no, method, mobile=mobile, consent=basis
        )
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, body.request_no, refusal)
        raise
    if verification.status in _WAITS:
        await services.processes.look_after_verification(platform_no, body.request_no)
        verification = await _begun(services, verification)
    if verification.status is VerificationStatus.REFUSED:
        raise Refused(verification.reason, CATALOGUE[verification.reason].advice)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return await _view(services, verification)


async def _begun(services: Services, verification: AccountVerification) -> AccountVerification:
    """The verification as soon as something was sent or refused; as it is when that takes long."""
    try:
        async with asyncio.timeout(services.settings.command_answer_seconds):
            while verification.status is VerificationStatus.ASKED:
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
                verification = await services.registry.verifications.get(
                    verification.platform_no, verification.verification_no
                )
    except TimeoutError:
        return verification
    return verification


async def _compared(services: Services, platform_no: str, verification_no: str, number: int) -> TryView:
    """How a counted try compared; one that was compared before is answered as the first time."""
    tries, verifications = services.registry.verification_tries, services.registry.verifications
    typed = await tries.typed(platform_no, verification_no, number)
    if typed.outcome is None:
        await _brought(
            services,
            platform_no,
            verification_no,
            lambda: services.processes.compare_try(platform_no, verification_no, number),
        )
        typed = await tries.typed(platform_no, verification_no, number)
    if typed.outcome is None:
        raise _unheard(await verifications.get(platform_no, verification_no))
    return TryView(
        outcome=typed.outcome,
        verification=await _view(services, await verifications.get(platform_no, verification_no)),
    )


async def _brought(
    services: Services, platform_no: str, verification_no: str, call: Callable[[], Awaitable[None]]
) -> None:
    """Call a verification's process; one that was ended before its time is begun again."""

    async def begin() -> bool:
        now = await services.registry.verifications.get(platform_no, verification_no)
        if now.status in _WAITS:
            await services.processes.look_after_verification(platform_no, verification_no)
        return now.status in _WAITS

    await brought(call, begin)


def _unheard(verification: AccountVerification) -> EscrowError:
    """What is answered where the books do not know what became of something."""
    if verification.status not in _WAITS:
        return _waits_for_nothing(verification)
    return OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")


def _waits_for_nothing(verification: AccountVerification) -> Refused:
    return Refused(
        "verification_state",
        f"The verification is {verification.status} and takes no more tries.",
        {"status": verification.status.value},
    )


async def _view(services: Services, verification: AccountVerification) -> AccountVerificationView:
    waits = verification.status is VerificationStatus.SENT
    left = await services.registry.verification_tries.left(verification.platform_no, verification.verification_no)
    return AccountVerificationView(
        request_no=verification.verification_no,
        member_no=verification.member_no,
        account_id=verification.account_id,
        method=verification.method,
        status=verification.status,
        reason=verification.reason,
        tries_left=left if waits else 0,
        asked_at=verification.asked_at,
        expires_at=verification.expires_at,
    )
