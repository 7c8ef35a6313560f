"""Rows of the second matrix: which call or posting belongs to which step, and the numbers that name them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.faults import callers

ASKED_FEN, TOO_MUCH_FEN = 10_000, 10_700
METHOD = {"method": "qr_wechat"}
COLLECTED = {"collection": METHOD}
CONSENT = {"text_version": "1", "address": "203.0.113.7"}

#: Activities of which these are the steps; a step of a collection is named after what it does.
ACTIVITIES = frozenset(
    {
        "look_after_collection", "give_back", "refund_order", "tell_refund_credited", "take_batch", "send_verification",
        "check_try", "check_identity", "make_transfer", "complete_closing", "end_verification", "expire_mandate",
    }
)  # fmt: skip

#: Bank steps: method and path of the call, and the rest of the number that it carries.
CALLS: dict[str, tuple[str, str, str, int]] = {
    "create_collection": ("POST", "/gateway/collections", "create:collect:1", 1),
    "query_collection": ("GET", "/gateway/collections", "query:collect:1", 1),
    "close_collection": ("POST", "/gateway/collections/close", "close:collect:1", 1),
    "refund_payment": ("POST", "/gateway/collection-refunds", "refund:return:1", 1),
    "query_refund": ("GET", "/gateway/collection-refunds", "asked:return:1", 1),
    "refund_direct": ("POST", "/gateway/collection-refunds", "back:refund:1", 1),
    "query_direct_refund": ("GET", "/gateway/collection-refunds", "asked-back:refund:1", 1),
    "tell_refund_credited": ("POST", "/gateway/sms", "told:refund-credited", 1),
    "send_verification": ("POST", "/gateway/card-checks", "send:unionpay:1", 1),
    "check_try": ("POST", "/gateway/card-checks/confirm", "try:unionpay:1", 1),
    "check_identity": ("POST", "/gateway/identity/person", "", 1),
}
#: Ledger activities that ask the bank first: which of these questions, counted from when the payer has paid, is the
#: last thing before they post.
BEFORE_POSTING: dict[str, tuple[str, str, str, int]] = {
    "record_pay_in": ("POST", "/gateway/collections", "record:collect:1", 1),
    "book_payment": ("GET", "/gateway/collections", "book:collect:1", 1),
    "settle_return": ("GET", "/gateway/collection-refunds", "settle:return:1", 1),
    "settle_direct_refund": ("GET", "/gateway/collection-refunds", "settle-back:refund:1", 1),
    "freeze_collected": ("GET", "/gateway/collections", "direct:pay:R-{name}-direct:collect:1", 1),
    "freeze_batch_direct": ("GET", "/gateway/collections", "batch-direct:batch-pay:collect:1", 1),
}
#: What ledger activities post. `{paid}` is the number of the payment that was collected.
POSTINGS = {
    "open_pay_in": ":pay_in:{name}-open:open",
    "record_pay_in": "{name}-record:.*",
    "book_payment": "{paid[book:collect:1]}",
    "settle_return": "{name}-settle:return:1:end",
    "settle_direct_refund": "{name}-settle-back:refund:1:end",
    "freeze_collected": "{paid[direct:pay:R-{name}-direct:collect:1]}",
    "freeze_batch_direct": "{paid[batch-direct:batch-pay:collect:1]}",
    "open_batch": ":batch_payment:{name}-batch-open:open",
    "freeze_batch": ":batch_payment:{name}-batch:pay",
    "make_transfer": ":payment:{name}-pay:make",
    "complete_closing": ":member:{name}-M:closed:{name}-CL",
    "end_verification": ":account_verification:{name}-expire:.*",
    "expire_mandate": ":mandate:{name}-mandate:.*",
}
#: Nothing leaves them, so nothing can be lost or done twice; a round that is made twice tells the same processes again.
READ_ONLY = frozenset({"books_time", "look_at_mandate", "look_at_verification", "look_at_closing", "make_round"})
ROWS = frozenset({*CALLS, *POSTINGS})


class MoneyInNumbers:
    """Numbers of one round, all of which begin with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def no(self, part: str) -> str:
        """Number of an object, or a request number that begins with it."""
        return f"{self.name}-{part}"

    def direct_no(self, part: str) -> str:
        """Request number of a direct payment."""
        return f"R-{self.no(part)}"

    def orders(self, part: str) -> dict[str, Any]:
        """List of orders of a batch."""
        return {"orders": [{"order_no": self.no(part), "amount_fen": callers.PRICE_FEN}]}

    def activities_that_post(self, numbers: Iterable[tuple[str, str]], paid: Mapping[str, str]) -> set[str]:
        """Those whose postings have these numbers; `paid` are the payments' numbers by what they were collected for."""
        payments = {part.replace(self.name, "{name}"): number for part, number in paid.items()}
        found = set()
        for activity, pattern in POSTINGS.items():
            if pattern.startswith("{paid"):
                expected = re.escape(payments.get(pattern.removeprefix("{paid[").removesuffix("]}"), "nothing"))
            else:
                expected = pattern.format(name=re.escape(self.name))
            if any(re.fullmatch(expected, request_no) for _, request_no in numbers):
                found.add(activity)
        return found

    def top_up_body(self, part: str) -> dict[str, Any]:
        """What asks for a top-up."""
        return {"top_up_no": self.no(part), "member_no": "O-1", "amount_fen": ASKED_FEN, **METHOD}
