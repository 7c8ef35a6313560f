"""Every code that the API can answer, with its status and what the caller does next."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: HTTP status, short title, and what the caller does next."""

    status: HTTPStatus
    title: str
    advice: str


_CONFLICT, _UNAVAILABLE = HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE

CATALOGUE: dict[str, Entry] = {
    "invalid_request": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request does not fit its description",
        "Correct the fields named in `errors`; unknown fields are refused.",
    ),
    "unauthorized": Entry(
        HTTPStatus.UNAUTHORIZED, "No valid key", "Send `Authorization: Bearer <key>` with a key of your platform."
    ),
    "public_internet_closed": Entry(
        HTTPStatus.FORBIDDEN, "Closed to the public internet", "Call over the leased line."
    ),
    "certificate_not_registered": Entry(
        HTTPStatus.FORBIDDEN, "The certificate is not this platform's", "Connect with one that the operator registered."
    ),
    "certificate_expired": Entry(HTTPStatus.FORBIDDEN, "The certificate has expired", "Connect with a valid one."),
    "notice_signature_invalid": Entry(
        HTTPStatus.UNAUTHORIZED, "The notice is not the bank's", "Sign the notice with the connection's key."
    ),
    "notice_too_old": Entry(
        HTTPStatus.UNAUTHORIZED, "The notice's time is too far from ours", "Send the notice again, signed anew."
    ),
    "notice_unreadable": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The notice cannot be read", "Send a notice that the connection describes."
    ),
    "not_found": Entry(
        HTTPStatus.NOT_FOUND,
        "There is no such object",
        "Check the number; objects of other platforms do not exist for you.",
    ),
    "method_not_allowed": Entry(
        HTTPStatus.METHOD_NOT_ALLOWED, "Not possible here", "Use a method that the API's description lists."
    ),
    "request_no_reused": Entry(
        _CONFLICT,
        "The number was used for other content",
        "Use a new number, or repeat the first request exactly.",
    ),
    "object_exists": Entry(_CONFLICT, "The object exists", "Use another number."),
    "order_state": Entry(
        _CONFLICT, "The order's state does not allow this", "The message names the state and what is possible now."
    ),
    "insufficient_balance": Entry(
        _CONFLICT, "Not enough money on the account", "Top up, or ask for less; `details.account` names the account."
    ),
    "batch_differs": Entry(
        _CONFLICT, "An order costs another amount", "Name each order with its full price, as `details` says."
    ),
    "reversal_exceeds_assignment": Entry(_CONFLICT, "More than was assigned", "Take back at most `details.left_fen`."),
    "suspense_source_unknown": Entry(
        _CONFLICT, "Nobody knows the account it came from", "Only what came by transfer can be sent back so."
    ),
    "suspense_unsettled": Entry(
        _CONFLICT, "Its channel has not settled it", "Pay it out when the day that the message names is closed."
    ),
    "two_operators_required": Entry(
        HTTPStatus.FORBIDDEN, "Two operators decide this", "Ask the institution to pay this money out."
    ),
    "bank_charges_owed": Entry(
        _CONFLICT,
        "The platform owes bank charges",
        "Transfer `details.owed_fen` from the platform's own bank account first; members' money never pays for it.",
    ),
    "fee_differs": Entry(
        _CONFLICT,
        "The withdrawal fee was changed meanwhile",
        "Ask again under a new number; the fee of now is in your platform's configuration.",
    ),
    "account_already_bound": Entry(
        _CONFLICT, "The bank account is bound already", "Unbind it first; a bank account belongs to one member."
    ),
    "account_name_differs": Entry(
        _CONFLICT, "The account's name is not the member's", "Bind accounts under the member's own name only."
    ),
    "account_no_invalid": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The account number is mistyped", "Correct the number; see the message."
    ),
    "cnaps_code_invalid": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The CNAPS code is mistyped", "Correct the code: its check digit does not fit."
    ),
    "member_no_reserved": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "This number means the platform itself", "Use another member number."
    ),
    "member_unknown": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The order names a member that is not open", "Open the member first."
    ),
    "milestone_plan": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The milestones do not make a plan",
        "`details.problem` and `details.milestone_no` name what is wrong.",
    ),
    "ratio_invalid": Entry(HTTPStatus.UNPROCESSABLE_ENTITY, "A share cannot be read", "Write shares as `30%`."),
    "milestone_unknown": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The order has no such milestone", "The message names those it has."
    ),
    "not_the_party": Entry(
        _CONFLICT, "The member is not the party that may do this", "Name the owner or contractor that may, in `by`."
    ),
    "account_in_use": Entry(
        _CONFLICT, "A withdrawal to this account is under way", "Unbind when the withdrawal has ended."
    ),
    "mandate_required": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "A direct debit needs a mandate", "Name the payer's mandate in `mandate_no`."
    ),
    "mandate_unknown": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The payer has no such mandate", "Name a mandate that this member has signed."
    ),
    "mandate_not_in_force": Entry(
        _CONFLICT, "The mandate is not in force", "`details.status` says why; let the member sign another one."
    ),
    "mandate_cap_exceeded": Entry(
        _CONFLICT,
        "More than the member allowed",
        "Debit at most `details.limit_fen` (`details.cap`: at once or on one day), or let another mandate be signed.",
    ),
    "mandate_in_force": Entry(
        _CONFLICT, "A mandate on the account is in force", "Revoke the mandate first; `details.mandate_no` names it."
    ),
    "card_required": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "No card that can be debited",
        "Name a bound card of a person or sole trader in `account_id`.",
    ),
    "code_not_awaited": Entry(
        _CONFLICT, "The payment waits for no code", "Look at the payment; begin another one when it was not paid."
    ),
    "code_tries_spent": Entry(
        _CONFLICT, "All tries are spent", "Begin another payment; a code has three tries, however often it is sent."
    ),
    "account_not_bound": Entry(_CONFLICT, "The bank account is not bound", "Name a bound account of the member."),
    "function_off": Entry(
        HTTPStatus.FORBIDDEN, "Switched off for this platform", "Ask the operator to change the configuration."
    ),
    "operator_only": Entry(
        HTTPStatus.FORBIDDEN, "Only an operator may set this", "Leave the fields in `details.fields` as they are."
    ),
    "authorisation_required": Entry(
        HTTPStatus.FORBIDDEN,
        "The platform's key alone does not authorise this",
        "Have the member, or your contact person, authorise it.",
    ),
    "authorisation_declined": Entry(_CONFLICT, "The member declined", "Ask again under a new number, if at all."),
    "authorisation_ended": Entry(
        _CONFLICT, "The authorisation was used or has expired", "Look at its status; an expired one is asked for anew."
    ),
    "payment_password_not_set": Entry(
        _CONFLICT, "The member has no payment password", "Send the member a link to set one first."
    ),
    "payment_password_set": Entry(
        _CONFLICT, "The member has a payment password", "Send a link to change or to reset it."
    ),
    "no_mobile": Entry(
        _CONFLICT, "There is no mobile number", "Only who has a mobile can get SMS codes; yours is set by an operator."
    ),
    "sms_codes_on_page": Entry(
        HTTPStatus.FORBIDDEN, "SMS codes are entered on the hosted page", "Send the member to the page."
    ),
    "sms_code_limit": Entry(_CONFLICT, "No more codes are sent now", "Wait; `details.per` names the limit reached."),
    "sms_code_wrong": Entry(_CONFLICT, "The code is wrong", "Have it read again; `details.tries_left` says how often."),
    "sms_code_none": Entry(_CONFLICT, "No code is valid now", "Have a new code sent."),
    "business_model_forbids": Entry(
        _CONFLICT, "The platform's business model forbids this", "See the message for what it allows."
    ),
    "limit_exceeded": Entry(
        _CONFLICT, "Above a limit of the platform", "Ask for less; `details` names the limit and its amount in fen."
    ),
    "member_state": Entry(
        _CONFLICT, "The member's state does not allow this", "The message names the state and what is possible now."
    ),
    "identity_required": Entry(
        _CONFLICT, "The member's identity is not verified", "Have it verified by an identity check first."
    ),
    "identity_no_invalid": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "An identity number is mistyped", "Correct the fields in `details.fields`."
    ),
    "identity_parts": Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The identity does not fit the kind of member", "See the message."
    ),
    "identity_fixed": Entry(
        _CONFLICT, "The member was verified under another number", "Check the same number, or open another member."
    ),
    "member_not_closable": Entry(
        _CONFLICT, "Something stands in the way of closing", "Settle what `details.obstacles` lists, then ask anew."
    ),
    "calendar_unknown": Entry(
        _CONFLICT, "Nobody knows the working days ahead", "Ask the operator to complete the calendar."
    ),
    "account_not_verified": Entry(
        _CONFLICT,
        "The bank account is not verified",
        "Have the member verify it; a platform's own account stands in the file of its operator.",
    ),
    "account_verified": Entry(_CONFLICT, "The bank account is verified already", "Nothing is to be done."),
    "unionpay_persons_only": Entry(
        _CONFLICT, "UnionPay does not check this account", "Verify it by a micro-deposit instead."
    ),
    "verification_too_soon": Entry(_CONFLICT, "Sent less than two minutes ago", "Wait two minutes."),
    "verification_day_limit": Entry(_CONFLICT, "Sent five times today", "Go on tomorrow."),
    "verification_state": Entry(
        _CONFLICT, "The verification waits for nothing", "Look at its status; begin another one if need be."
    ),
    "verification_tries_spent": Entry(_CONFLICT, "All tries are spent", "Begin another verification."),
    "verification_method": Entry(
        _CONFLICT, "The verification is by the other method", "Send amount and reference, or the code."
    ),
    "verification_not_sent": Entry(
        _CONFLICT, "The bank did not send it", "`details.reason` says why; decide anew under a new number."
    ),
    "basis_missing": Entry(_CONFLICT, "No consent covers this operation", "Give consent to exactly this operation."),
    "basis_void": Entry(_CONFLICT, "The consent was voided", "Consent again under a new request number."),
    "basis_expired": Entry(_CONFLICT, "The consent has expired", "Consent again under a new request number."),
    "basis_used": Entry(_CONFLICT, "The consent was used already", "Consent again under a new request number."),
    "basis_mismatch": Entry(_CONFLICT, "The consent covers another operation", "Consent to exactly this operation."),
    "bank_declined": Entry(_CONFLICT, "The bank said no", "Decide anew; another try needs a new number."),
    "bank_unreachable": Entry(_UNAVAILABLE, "The bank cannot be reached", "Repeat the same request."),
    "outcome_unknown": Entry(_UNAVAILABLE, "The outcome is not known yet", "Repeat the same request to learn it."),
    "ledger_unavailable": Entry(_UNAVAILABLE, "The ledger cannot be reached", "Repeat the same request."),
    "temporal_unavailable": Entry(_UNAVAILABLE, "Temporal cannot be reached", "Repeat the same request."),
    "order_busy": Entry(
        _UNAVAILABLE, "No answer in time", "Repeat the same request; it goes on where it was and is not done twice."
    ),
    "skip_under_way": Entry(_UNAVAILABLE, "Time is passing already", "Repeat the same call when it has passed."),
    "workflow_busy": Entry(_CONFLICT, "Something is under way", "Skip time again when what the message names is done."),
    "nothing_due": Entry(_CONFLICT, "It waits for no time", "Do what it waits for; skipping brings nothing."),
    "no_time_skipping": Entry(_CONFLICT, "Temporal does not skip time", "Use a stack that `escrow up` starts."),
    "clock_overshot": Entry(_CONFLICT, "Temporal went too far", "Begin the test anew on another platform."),
    "internal_error": Entry(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "A fault on our side",
        "Repeat the same request; tell the operator the time if it stays.",
    ),
}
