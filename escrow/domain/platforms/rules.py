"""What a platform's configuration forbids: by its functions, its business model, its limits, and to its own key."""

from collections.abc import Sequence

from escrow.domain.errors import Refused
from escrow.domain.platforms.authorisations import PLATFORM_KEY, AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import BusinessModel, PlatformConfig
from escrow.domain.platforms.functions import Function


def require_function(config: PlatformConfig, function: Function) -> None:
    """Refuse what belongs to a function that is switched off.

    Raises:
        Refused: `function_off`, with the function.
    """
    if not config.functions.is_on(function):
        raise Refused(
            "function_off", f"The function {function} is switched off for this platform.", {"function": function.value}
        )


def require_limit(limit_fen: int | None, amount_fen: int, *, name: str) -> None:
    """Refuse an amount above a configured limit.

    Args:
        limit_fen: the limit in fen, None for none.
        name: field of the configuration that sets it, e.g. `limits.payment_fen`.

    Raises:
        Refused: `limit_exceeded`, with the limit.
    """
    if limit_fen is not None and amount_fen > limit_fen:
        raise Refused(
            "limit_exceeded",
            "The amount is above a limit that the platform set.",
            {"limit": name, "limit_fen": limit_fen},
        )


def require_business_model(config: PlatformConfig, *, payee_is_platform: bool, commission_basis_points: int) -> None:
    """Refuse terms of a payment that the business model forbids.

    On a marketplace the platform's own account is never the payee, it gets commission only; a self-operated
    platform is itself the payee and takes no commission.

    Raises:
        Refused: `business_model_forbids`.
    """
    if config.business_model is BusinessModel.MARKETPLACE:
        if payee_is_platform:
            raise Refused(
                "business_model_forbids", "On a marketplace the platform is never the payee; it takes commission only."
            )
    elif not payee_is_platform or commission_basis_points != 0:
        raise Refused(
            "business_model_forbids", "A self-operated platform is the payee itself and takes no commission of itself."
        )


def reserved_for_operators(before: PlatformConfig, after: PlatformConfig) -> list[str]:
    """Fields of `after` that only an operator may set so: a stolen key must not open what a member's money is behind.

    The platform's key may switch functions, tighten, and require authorisations; it may not change the business
    model, drop or exchange an authorisation, let codes pass through the platform, add an origin that may embed
    hosted pages, send members elsewhere from them, let unverified members withdraw, or anybody to unverified accounts.
    """
    reserved = []
    if after.business_model is not before.business_model:
        reserved.append("business_model")
    for operation in AuthorisedOperation:
        method = before.authorisation.method_of(operation)
        if method is not AuthorisationMethod.NONE and after.authorisation.method_of(operation) is not method:
            reserved.append(f"authorisation.{operation}")
    if after.sms_codes_by_api and not before.sms_codes_by_api:
        reserved.append("sms_codes_by_api")
    if set(after.embedding_origins) - set(before.embedding_origins):
        reserved.append("embedding_origins")
    if after.return_url not in (before.return_url, None):
        reserved.append("return_url")
    if before.identity_required_for_withdrawal and not after.identity_required_for_withdrawal:
        reserved.append("identity_required_for_withdrawal")
    if before.verified_account_required and not after.verified_account_required:
        reserved.append("verified_account_required")
    if after.suspense_returned_by_platform and not before.suspense_returned_by_platform:
        reserved.append("suspense_returned_by_platform")
    return reserved


def require_allowed_to_platform(before: PlatformConfig, after: PlatformConfig) -> None:
    """Refuse a change that a platform's own key may not make.

    Raises:
        Refused: `operator_only`, with the fields.
    """
    reserved = reserved_for_operators(before, after)
    if reserved:
        raise Refused("operator_only", f"Only an operator may set this: {', '.join(reserved)}.", {"fields": reserved})


def may_be_relayed(config: PlatformConfig, *, method: str, member_no: str | None) -> bool:
    """Whether the platform may relay the code by which a member authorises: never that of its own contact person.

    Args:
        method: by which the party proves itself.
        member_no: who authorises; None or empty for the contact person.
    """
    return config.sms_codes_by_api and method == AuthorisationMethod.SMS_CODE and bool(member_no)


def require_page_of_contact(config: PlatformConfig) -> None:
    """The platform's own withdrawals are authorised on a page and nowhere else.

    Raises:
        Refused: `function_off`.
    """
    if not config.functions.is_on(Function.HOSTED_PAGES):
        raise Refused(
            "function_off",
            "Your own withdrawals are authorised by your contact person on a hosted page, and hosted pages are off: "
            "set functions.hosted_pages to true in your configuration, then repeat this call.",
            {"function": Function.HOSTED_PAGES.value},
        )


def require_vouched(config: PlatformConfig, operation: AuthorisedOperation) -> None:
    """Refuse an operation that the platform's key alone does not authorise; raises as `require_agreed`."""
    require_agreed(config, operation, PLATFORM_KEY)


def require_agreed(config: PlatformConfig, operation: AuthorisedOperation, given_by_method: str) -> None:
    """Refuse an operation to which its party did not agree as the configuration asks for.

    Args:
        given_by_method: how the party was recognised when it consented: `platform_key`, or by a method.

    Raises:
        Refused: `authorisation_required`, with the operation and the method it needs.
    """
    method = config.authorisation.method_of(operation)
    if method not in (AuthorisationMethod.NONE, given_by_method):
        given = "the platform's key alone" if given_by_method == PLATFORM_KEY else f"one by {given_by_method}"
        raise Refused(
            "authorisation_required",
            f"The operation {operation} needs an authorisation by {method}; {given} does not do.",
            {"operation": operation.value, "method": method.value},
        )


#: Ways in which a party may have to agree, by how much they prove.
_STRICTNESS = (AuthorisationMethod.NONE, AuthorisationMethod.SMS_CODE, AuthorisationMethod.PAYMENT_PASSWORD)


def strictest(
    demands: Sequence[tuple[PlatformConfig, AuthorisedOperation]],
) -> tuple[PlatformConfig, AuthorisedOperation]:
    """Which of several configurations says how a party agrees to what it does at once; of equals the first.

    A password, which only a hosted page reads, is more than a code, which a platform may be allowed to relay.

    Args:
        demands: what is done, each under its configuration; at least one.
    """
    return max(demands, key=lambda demand: _STRICTNESS.index(demand[0].authorisation.method_of(demand[1])))
