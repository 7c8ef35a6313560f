"""What the API answers, as far as testers ask: the fields by their names in the API's description, amounts in fen."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of all answers; fields of the API that are not named here are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Member(Answer):
    """A member and what it may do now."""

    member_no: str
    kind: str
    status: str
    may: tuple[str, ...]


class IdentityCheck(Answer):
    """A question to the register."""

    request_no: str
    status: str
    result: str


class BankAccount(Answer):
    """A bound account; `verification` is empty, `micro_deposit` or `unionpay`."""

    account_id: str
    status: str
    verification: str


class AccountVerification(Answer):
    """A check whose account it is."""

    request_no: str
    status: str
    reason: str


class CodeTry(Answer):
    """What came of a code that was typed."""

    outcome: str


class PasswordLink(Answer):
    """A link to the page where a member sets its payment password."""

    status: str
    url: str | None


class Authorization(Answer):
    """Something that a member, or with `member_no` None the platform's contact person, authorises on a page."""

    authorization_id: str
    status: str
    member_no: str | None
    method: str
    url: str | None


class Awaiting(Answer):
    """The call waits for its member."""

    authorization: Authorization


class Milestone(Answer):
    """Where one milestone stands."""

    number: int
    name: str
    kind: str
    amount_fen: int
    status: str
    round: int
    inspection_due_at: datetime | None
    accepted_by: str


class Order(Answer):
    """An order: paid = released + commission + refunded + held."""

    order_no: str
    status: str
    owner_no: str
    contractor_no: str
    total_fen: int
    milestones: tuple[Milestone, ...]
    paid_fen: int
    released_fen: int
    commission_fen: int
    refunded_fen: int
    held_fen: int
    step_due_at: datetime | None
    possible_now: tuple[str, ...]
    needs_attention: str


class Commanded(Answer):
    """What a command did, and the order after it."""

    result: dict[str, Any]
    order: Order


class Interaction(Answer):
    """What a payer has to do."""

    kind: str
    url: str
    qr_content: str


class ChannelPayment(Answer):
    """One payment that a channel took, and what became of it."""

    payment_no: str
    amount_fen: int
    outcome: str


class TopUp(Answer):
    """Money that a channel collects: a top-up, or the direct payment of an order."""

    top_up_no: str
    status: str
    member_no: str
    method: str
    amount_fen: int
    interaction: Interaction | None
    payments: tuple[ChannelPayment, ...]
    reason: str


class BatchOrder(Answer):
    """One order of a batch and what became of its share."""

    order_no: str
    outcome: str
    order_status: str


class Batch(Answer):
    """Orders that are paid together."""

    batch_no: str
    status: str
    orders: tuple[BatchOrder, ...]
    total_fen: int
    frozen_fen: int
    collection: TopUp | None


class Attempt(Answer):
    """One payment order to the bank."""

    number: int
    rail: str
    request_no: str
    outcome: str
    bank_serial_no: str


class Withdrawal(Answer):
    """A withdrawal with the reasons of its route."""

    withdrawal_no: str
    status: str
    member_no: str | None
    order_no: str
    principal_fen: int
    fee_fen: int
    rail: str | None
    attempts: tuple[Attempt, ...]
    reasons: tuple[str, ...]
    opens_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing happens to it any more by itself."""
        return self.status in ("paid", "failed", "refused", "needs_attention")

    @property
    def stands_still(self) -> bool:
        """Whether only time, or nothing at all, moves it on."""
        return self.has_ended or self.status == "queued"


class Withdrawals(Answer):
    """A page of withdrawals."""

    withdrawals: tuple[Withdrawal, ...]


class Balances(Answer):
    """What a member has, by what can be done with it."""

    member_no: str
    available_fen: int
    withdrawable_fen: int
    pending_fen: int
    frozen_fen: int
    in_escrow_fen: int
    in_escrow_fen_by_order: dict[str, int]
    in_payout_fen_by_withdrawal: dict[str, int]


class Line(Answer):
    """One line of an account: positive amounts came in."""

    account: str
    entry_id: int
    request_no: str
    recipe: str
    amount_fen: int
    balance_after_fen: int
    accounting_day: date
    cursor: str


class Statement(Answer):
    """A member's lines of a period: opening + lines = closing."""

    member_no: str
    opening_fen: int
    closing_fen: int
    lines: tuple[Line, ...]


class SubAccount(Answer):
    """A functional sub-account."""

    sub_account_no: str
    balance_fen: int


class SubAccounts(Answer):
    """The tree: sub-accounts = custody + what channels owe + bank charges not made good."""

    custody_fen: int
    channels_owe_fen: int
    bank_charges_fen: int
    sub_accounts_fen: int
    members_fen: int
    functional: tuple[SubAccount, ...]

    def balance_fen(self, sub_account_no: str) -> int:
        """Balance of a functional sub-account: `escrow`, `fees`, `suspense`, `own` …

        Raises:
            KeyError: there is none of that number.
        """
        return {item.sub_account_no: item.balance_fen for item in self.functional}[sub_account_no]


class Event(Answer):
    """One change of one object."""

    kind: str
    object_no: str
    sequence_no: int
    event_type: str
    status: str
    body: dict[str, Any]
    occurred_at: datetime
    cursor: str


class Events(Answer):
    """A page of events."""

    events: tuple[Event, ...]


class Attention(Answer):
    """An object that waits for a person."""

    kind: str
    object_no: str
    reason: str
    since: datetime
    held_fen: int
    cursor: str


class AttentionList(Answer):
    """A page of what waits for a person."""

    waiting: tuple[Attention, ...]


class Sms(Answer):
    """A text message."""

    mobile: str
    text: str
    sent_at: datetime


class SmsList(Answer):
    """All text messages, oldest first."""

    items: tuple[Sms, ...]


class Clock(Answer):
    """The platform's present moment."""

    now: datetime
