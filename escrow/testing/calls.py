"""The calls of the API that the client makes: paths, fields and answers, as its OpenAPI description has them."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from escrow.testing import answers

AnswerType = TypeVar("AnswerType", bound=answers.Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[AnswerType]):
    """One operation.

    Args:
        path: with names in braces; the client fills them in.
        answer: what it answers when it is done; some calls answer `answers.Awaiting` before.
        fields: what the body may hold.
        query: what the query may hold.
    """

    method: str
    path: str
    answer: type[AnswerType]
    fields: frozenset[str] = field(default=frozenset())
    query: frozenset[str] = field(default=frozenset())


def _get(path: str, answer: type[AnswerType], query: str = "") -> Call[AnswerType]:
    return Call(method="GET", path=f"/v1/{path}", answer=answer, query=frozenset(query.split()))


def _post(path: str, answer: type[AnswerType], fields: str) -> Call[AnswerType]:
    return Call(method="POST", path=f"/v1/{path}", answer=answer, fields=frozenset(fields.split()))


_MEMBER = "members/{member_no}"
_ACCOUNT = f"{_MEMBER}/bank-accounts/{{account_id}}"
_ORDER = "orders/{order_no}"
_MILESTONE = f"{_ORDER}/milestones/{{number}}"
_COMMAND = "request_no by"
_COLLECTING = "method account_id mandate_no expires_in_minutes return_url"

OPEN_MEMBER = _post("members", answers.Member, "member_no kind name mobile")
GET_MEMBER = _get(_MEMBER, answers.Member)
CHECK_IDENTITY = _post(
    f"{_MEMBER}/identity-checks", answers.IdentityCheck, "request_no id_no legal_representative consent"
)
GET_IDENTITY_CHECK = _get(f"{_MEMBER}/identity-checks/{{check_no}}", answers.IdentityCheck)
BIND_ACCOUNT = _post(
    f"{_MEMBER}/bank-accounts",
    answers.BankAccount,
    "account_id account_no account_name is_corporate cnaps_code bank_name",
)
GET_ACCOUNT = _get(_ACCOUNT, answers.BankAccount)
CHECK_CARD = _post(f"{_ACCOUNT}/verify/unionpay", answers.AccountVerification, "request_no mobile consent")
TYPE_CODE = _post(f"{_ACCOUNT}/verify/{{verification_no}}/confirm-code", answers.CodeTry, "request_no code")
SEND_MICRO_DEPOSIT = _post(f"{_ACCOUNT}/verify/micro-deposit", answers.AccountVerification, "request_no consent")
GET_VERIFICATION = _get(f"{_ACCOUNT}/verify/{{verification_no}}", answers.AccountVerification)
TYPE_AMOUNT = _post(
    f"{_ACCOUNT}/verify/{{verification_no}}/confirm-amount", answers.CodeTry, "request_no amount_fen reference"
)
LINK_TO_PASSWORD = _post(f"{_MEMBER}/payment-password-links", answers.PasswordLink, "request_no purpose")
GET_BALANCES = _get(f"{_MEMBER}/balances", answers.Balances)

OPEN_ORDER = _post(
    "orders",
    answers.Order,
    "order_no owner_no contractor_no total_fen milestones withdraw_automatically inspection_days retention_days",
)
GET_ORDER = _get(_ORDER, answers.Order)
PAY = _post(f"{_ORDER}/pay", answers.Commanded, _COMMAND)
START = _post(f"{_ORDER}/start", answers.Commanded, _COMMAND)
CANCEL = _post(f"{_ORDER}/cancel", answers.Commanded, _COMMAND)
COMPLETE = _post(f"{_MILESTONE}/complete", answers.Commanded, _COMMAND)
ACCEPT = _post(f"{_MILESTONE}/accept", answers.Commanded, _COMMAND)
RECTIFY = _post(f"{_MILESTONE}/rectify", answers.Commanded, _COMMAND)
PAY_DIRECTLY = _post(f"{_ORDER}/direct-payments", answers.TopUp, f"{_COMMAND} {_COLLECTING}")
GET_DIRECT_PAYMENT = _get(f"{_ORDER}/direct-payments/{{request_no}}", answers.TopUp)

OPEN_TOP_UP = _post("top-ups", answers.TopUp, f"top_up_no member_no amount_fen subject {_COLLECTING}")
GET_TOP_UP = _get("top-ups/{top_up_no}", answers.TopUp)
PAY_TOGETHER = _post("batch-payments", answers.Batch, "batch_no payer_no orders collection")
GET_BATCH = _get("batch-payments/{batch_no}", answers.Batch)
WITHDRAW = _post("withdrawals", answers.Withdrawal, "withdrawal_no member_no account_id principal_fen")
GET_WITHDRAWAL = _get("withdrawals/{withdrawal_no}", answers.Withdrawal)
LIST_WITHDRAWALS = _get("withdrawals", answers.Withdrawals, "after limit status")

GET_AUTHORIZATION = _get("authorizations/{authorization_id}", answers.Authorization)
GET_STATEMENT = _get("statements", answers.Statement, "member_no first_day last_day after limit")
GET_SUB_ACCOUNTS = _get("platform/sub-accounts", answers.SubAccounts)
LIST_ATTENTION = _get("attention", answers.AttentionList, "after limit")
GET_EVENTS = _get("events", answers.Events, "kind object_no after_sequence_no after limit")

GET_CLOCK = _get("sandbox/clock", answers.Clock)
LIST_SMS = _get("sandbox/sms", answers.SmsList)
SKIP = _post("sandbox/skip", answers.Clock, "request_no days hours minutes until order_no withdrawal_no top_up_no")
