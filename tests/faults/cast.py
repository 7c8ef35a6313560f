"""Who plays in one round of the matrix, and by what each activity is known on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from tests.api.platforms import Platform
from tests.faults.gates import KeptCall

#: What each ledger activity posts: the part of the cast, and the rest of the request number. A proposal to cancel is
#: numbered by the call that makes it.
_POSTINGS = {
    "open_order": "open:open",
    "freeze_price": "freeze:freeze",
    "record_order": "record:M2:complete:1",
    "record_proposal": "propose:propose-cancel:{name}-propose-cancel",
    "release_milestone": "release:M2:release:1",
    "refund_rest": "refund:refund",
    "hold_money": "hold:hold",
    "record_withdrawal": "attempt:attempt:1",
    "settle_withdrawal": "settle:paid",
    "return_money": "return:return",
}
_BOOKS_LINES = "book_bank_line"

#: What each bank activity calls: the path, and the part of the cast with the rest of the number it sends.
_CALLS = {
    "submit_payout": ("/gateway/payouts", "submit:payout:1"),
    "query_payout": ("/gateway/payouts", "query:payout:1"),
    "announce_large_withdrawal": ("/gateway/sms", "large:sms"),
    "remind_owner": ("/gateway/sms", "remind:M2:reminder:1"),
}
SURVEY, READS_LINES = "survey_rails", "fetch_bank_lines"

#: Every activity type that a round brings to a point.
ROWS = frozenset({*_POSTINGS, _BOOKS_LINES, *_CALLS, SURVEY, READS_LINES})

ORDERS = ("open", "freeze", "record", "release", "refund", "remind", "propose")
WITHDRAWALS = ("hold", "attempt", "survey", "submit", "query", "settle", "return", "large")


@dataclass(kw_only=True)
class Cast:
    """The objects of one round: `trade` has orders and withdrawals, the others a watch that reads, and one that books.

    Numbers of orders and withdrawals tell which activity they are there for.
    """

    name: str
    trade: Platform
    reading: Platform
    booking: Platform
    line_to_book: str = ""

    def no(self, part: str) -> str:
        """Number of an order or withdrawal, or a request number that begins with it."""
        return f"{self.name}-{part}"

    @property
    def orders(self) -> list[str]:
        """Numbers of all orders."""
        return [self.no(part) for part in ORDERS]

    @property
    def withdrawals(self) -> list[str]:
        """Numbers of all withdrawals."""
        return [self.no(part) for part in WITHDRAWALS]

    @property
    def postings(self) -> dict[tuple[str, str], str]:
        """Activity type by the (platform, request number) that it posts."""
        posted = {
            (self.trade.number, self.no(part.format(name=self.name))): activity for activity, part in _POSTINGS.items()
        }
        return posted | {(self.booking.number, f"bank-line:{self.line_to_book}"): _BOOKS_LINES}

    @property
    def calls(self) -> dict[str, Callable[[KeptCall], bool]]:
        """How to recognise the calls of each bank activity."""
        lines = f"/gateway/custody/{self.reading.custody_account_no}/lines"
        found = {activity: self._names(path, part) for activity, (path, part) in _CALLS.items()}
        found[SURVEY] = lambda call: call.target.startswith("/gateway/capabilities?")
        found[READS_LINES] = lambda call: call.target.startswith(lines)
        return found

    def _names(self, path: str, part: str) -> Callable[[KeptCall], bool]:
        number = f"{self.trade.number}/{self.no(part)}"

        def recognise(call: KeptCall) -> bool:
            asked = unquote(call.target).startswith(f"{path}?reqSeq={number}&")
            return asked or (call.target == path and f'"{number}"'.encode() in call.body)

        return recognise
