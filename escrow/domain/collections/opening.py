"""How a collection begins: from the consent that asks for it to what is entered in the books."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from escrow.domain.collections.batch import BatchPayment
from escrow.domain.collections.collection import Collection
from escrow.domain.collections.commands import Open
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.purposes import BatchCollection, DirectPayment, Purpose, TopUp
from escrow.domain.collections.state import WATCHED_FOR, Asked, CollectionState
from escrow.domain.collections.terms import TOP_UP, CollectionStatus, opening_consent_no, require_payer_named
from escrow.domain.decisions import Decision, Facts, GivenConsent, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus, Permission, require_may
from escrow.domain.money.journal import CounterUse, StandsOn
from escrow.domain.orders.order import Order
from escrow.domain.orders.payment import limit_of_day
from escrow.domain.orders.states import OrderCommand, check_command, not_the_party
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.time.calendars import SHANGHAI


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What a purpose adds to what is asked for.

    Args:
        waits_until: until when that which is paid waits for it; None without a limit.
        counters: what it uses of the payer's limit of the day.
    """

    purpose: Purpose
    has_read: tuple[StandsOn, ...]
    waits_until: datetime | None = None
    counters: tuple[CounterUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnopenedCollection(NotInBooks):
    """One of which nothing stands in the books but, at most, the consent that asks for it."""

    platform_no: str
    pay_in_no: str

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple[Collection, Decision]:
        """Open it; every other command finds nothing.

        A debit's channel is chosen before it is asked; every other channel is asked as soon as this is posted, by who
        posts it and by nobody else.

        Args:
            at: the books' time.

        Raises:
            Refused: `not_found`, `basis_missing`, or what a rule says no to.
        """
        if not isinstance(command, Open):
            raise Refused("not_found", f"There is no collection {self.pay_in_no}.")
        consent = facts.required_consent(command.said_as)
        assert facts.config is not None  # noqa: S101 - the command declares it
        said = consent.terms
        method, amount_fen = CollectionMethod(said["method"]), int(said["amount_fen"])
        require_function(facts.config, Function(method.value))
        require_payer_named(method, account_id=said.get("account_id"), mandate_no=said.get("mandate_no"))
        if consent.operation == TOP_UP:
            terms = _topping_up(consent, facts)
        elif said.get("order_no"):
            terms = _paying_an_order(self.platform_no, consent, facts.config, facts, at)
        else:
            terms = _paying_a_batch(consent, facts)
        expires_at = consent.recorded_at + timedelta(minutes=said["expires_in_minutes"])
        if terms.waits_until is not None:
            expires_at = min(expires_at, terms.waits_until)
        is_debit = method is CollectionMethod.DIRECT_DEBIT
        state = CollectionState(
            status=CollectionStatus.OPENED,
            purpose=terms.purpose,
            method=method,
            amount_fen=amount_fen,
            account_id=said.get("account_id"),
            mandate_no=said.get("mandate_no"),
            subject=said["subject"],
            return_url=said.get("return_url"),
            expires_at=expires_at,
            asked_as=consent.consent_no,
            config_version=facts.config_version,
            counted_on=at.astimezone(SHANGHAI).date() if terms.counters else None,
            asked=() if is_debit else (Asked(number=1, asked_at=at),),
            watched_until=expires_at + WATCHED_FOR,
        )
        before = Collection(platform_no=self.platform_no, pay_in_no=self.pay_in_no, state=state, version=0)
        return before.becomes(
            state,
            Decision(
                request_no=opening_consent_no(self.pay_in_no),
                event_type="pay_in.opened",
                event={},
                answer={},
                has_read=terms.has_read,
                counters=terms.counters,
            ),
        )


def restored(stored: Stored) -> Collection | UnopenedCollection:
    """It as the books have it, or as it is before it stands there."""
    if stored.version == 0:
        return UnopenedCollection(platform_no=stored.platform_no, pay_in_no=stored.object_no)
    return Collection.of_document(stored)


COLLECTIONS = ObjectKind(name="pay_in", of=Collection, restored=restored)


def _topping_up(consent: GivenConsent, facts: Facts) -> _Terms:
    """A member's sub-account is credited: one that may receive."""
    member_no = consent.given_by
    known = facts.members.get(member_no)
    if known is None:
        raise Refused("member_unknown", f"There is no member {member_no}.", {"member_no": member_no})
    require_may(MemberStatus(known.status), Permission.RECEIVE, member_no=member_no)
    purpose = TopUp(member_no=member_no, consent_no=consent.consent_no, consent_hash=consent.operation_hash)
    return _Terms(purpose=purpose, has_read=(StandsOn(kind="member", object_no=member_no, version=known.version),))


def _paying_an_order(
    platform_no: str, consent: GivenConsent, config: PlatformConfig, facts: Facts, at: datetime
) -> _Terms:
    """An order that waits for its owner's payment has its full price collected, within the owner's limit of the day."""
    order_no = consent.terms["order_no"]
    require_function(config, Function.DIRECT_PAYMENT)
    stored = next((item for item in facts.pays if item.object_no == order_no), None)
    if stored is None:
        raise Refused("not_found", f"There is no order {order_no}.")
    order = Order.of_document(stored)
    if consent.given_by != order.contract.owner_no:
        raise not_the_party(OrderCommand.PAY)
    check_command(order.state.status, [item.status for item in order.state.milestones], OrderCommand.PAY)
    if consent.terms["amount_fen"] != order.contract.total_fen:
        raise Refused("payment_differs", f"The order {order_no} costs another amount.")
    purpose = DirectPayment(member_no=consent.given_by, order_no=order_no, consent_no=consent.terms["pays_by"])
    return _Terms(
        purpose=purpose,
        has_read=(StandsOn(kind="order", object_no=order_no, version=stored.version),),
        waits_until=order.state.step_due_at,
        counters=limit_of_day(consent.given_by, order.contract.total_fen, config, at),
    )


def _paying_a_batch(consent: GivenConsent, facts: Facts) -> _Terms:
    """A batch that waits for a channel's payment has its total collected; it has counted on the limit of the day."""
    batch_no = consent.terms["batch_no"]
    stored = next((item for item in facts.pays if item.object_no == batch_no), None)
    if stored is None:
        raise Refused("not_found", f"There is no batch payment {batch_no}.")
    batch = BatchPayment.of_document(stored)
    batch.require_waits(consent.given_by, consent.terms["amount_fen"])
    return _Terms(
        purpose=BatchCollection(member_no=consent.given_by, batch_no=batch_no),
        has_read=(StandsOn(kind="batch_payment", object_no=batch_no, version=stored.version),),
        waits_until=batch.state.waits_until,
    )
