"""How a party must agree: whatever it says, its consent was given in no weaker way than the configuration asks for."""

from dataclasses import replace

import pytest

from escrow.domain.collections.batch_rules import authorised_by, require_allowed
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import PaidDirectly, PartyCommand
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.authorisations import AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.transfers.moves import TransferKind
from tests.domain import order_stories as orders
from tests.domain import test_transfer_decisions as transfers
from tests.domain import withdrawals
from tests.domain.test_order_rules import inspected, started

_ONE = orders.CONTRACTS["one stage, all of it commission"]
_STAGE = _ONE.of_kind(orders.ACCEPTANCE)[0].number
#: Every way in which a party can be recognised.
GIVEN = ("platform_key", "payment_password", "sms_code")


def asking(config: PlatformConfig, operation: str, method: AuthorisationMethod) -> PlatformConfig:
    """The configuration that asks for this method, for one operation."""
    changed: PlatformConfig = config.model_copy(
        update={"authorisation": config.authorisation.model_copy(update={operation: method})}
    )
    return changed


@pytest.mark.parametrize("method", AuthorisationMethod)
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("operation", OrderCommand)
def test_a_word_to_an_order(operation: OrderCommand, given: str, method: AuthorisationMethod) -> None:
    unpaid = orders.Story.signed(_ONE)
    working = started(_ONE)
    story, by, milestone = {
        OrderCommand.PAY: (unpaid, orders.OWNER, None),
        OrderCommand.START: (
            unpaid.take(orders.said(OrderCommand.PAY, orders.OWNER), at=unpaid.at),
            orders.CONTRACTOR,
            None,
        ),
        OrderCommand.COMPLETE: (working, orders.CONTRACTOR, _STAGE),
        OrderCommand.ACCEPT: (inspected(_ONE), orders.OWNER, _STAGE),
        OrderCommand.RECTIFY: (inspected(_ONE), orders.OWNER, _STAGE),
        OrderCommand.CANCEL: (working, orders.OWNER, None),
    }[operation]
    _is_decided(story, orders.said(operation, by, milestone), operation.value, given, method)


@pytest.mark.parametrize("method", AuthorisationMethod)
@pytest.mark.parametrize("given", GIVEN)
def test_a_payment_that_a_channel_took_for_an_order(given: str, method: AuthorisationMethod) -> None:
    command = PaidDirectly(payment=orders.payment(_ONE))
    _is_decided(orders.Story.signed(_ONE), command, "direct_payment", given, method)


def _is_decided(
    story: orders.Story, command: PartyCommand | PaidDirectly, operation: str, given: str, method: AuthorisationMethod
) -> None:
    """It is done where the consent was given as asked for, and refused where it was not."""
    facts = story.facts(command, at=story.at)
    assert facts.consent is not None
    facts = replace(
        facts,
        config=asking(facts.config or orders.CONFIG, operation, method),
        consent=replace(facts.consent, method=given),
    )
    if method in (AuthorisationMethod.NONE, given):
        story.order.decide(command, at=story.at, facts=facts)
        return
    with pytest.raises(Refused) as refused:
        story.order.decide(command, at=story.at, facts=facts)
    assert (refused.value.code, refused.value.details) == (
        "authorisation_required",
        {"operation": operation, "method": method},
    )


def test_a_payment_without_a_guarantee_and_a_withdrawal_by_the_key_alone() -> None:
    config = asking(PlatformConfig(), "unguaranteed_payment", AuthorisationMethod.SMS_CODE)
    with pytest.raises(Refused, match="authorisation_required"):
        transfers.decided(TransferKind.PAYMENT, replace(transfers.FACTS, config=config), subject_no="C-1")
    config = asking(withdrawals.CONFIG, "withdraw", AuthorisationMethod.PAYMENT_PASSWORD)
    for given in ("platform_key", "sms_code"):
        with pytest.raises(Refused, match="authorisation_required"):
            withdrawals.held(config=config, consent=withdrawals.consent(method=given))
    assert withdrawals.held(config=config, consent=withdrawals.consent(method="payment_password")).status == "held"


# ---- batches ----


def test_a_batch_is_agreed_to_as_the_configuration_that_asks_for_most() -> None:
    plain = PlatformConfig()
    batch = asking(plain, "batch_payment", AuthorisationMethod.SMS_CODE)
    single = asking(plain, "pay", AuthorisationMethod.PAYMENT_PASSWORD)
    directly = asking(plain, "direct_payment", AuthorisationMethod.SMS_CODE)
    assert authorised_by(plain, [plain], "balance") == (plain, "batch_payment")
    assert authorised_by(batch, [single], "balance") == (single, "pay")
    assert authorised_by(batch, [plain, directly], CollectionMethod.QR_QQ) == (batch, "batch_payment")
    assert authorised_by(plain, [plain, single], "balance") == (single, "pay")
    assert authorised_by(plain, [directly], "balance") == (plain, "batch_payment")
    assert authorised_by(plain, [directly], CollectionMethod.QR_QQ) == (directly, "direct_payment")


@pytest.mark.parametrize(
    ("function", "paid_by"),
    [
        ("balance_payment", "balance"),
        ("direct_payment", CollectionMethod.QR_QQ),
        ("qr_qq", CollectionMethod.QR_QQ),
    ],
)
def test_a_batch_is_no_way_around_what_is_off_for_one_of_its_orders(function: str, paid_by: CollectionMethod) -> None:
    on, off = PlatformConfig(), PlatformConfig.model_validate({"functions": {function: False}})
    require_allowed(on, [on], paid_by, 1)
    for config, under in ((on, [on, off]), (off, [on])):
        with pytest.raises(Refused, match="function_off"):
            require_allowed(config, under, paid_by, 1)
