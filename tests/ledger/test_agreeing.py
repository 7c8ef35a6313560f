"""Straight at the books: how a party must agree, and which functions are on, by the configuration in force then."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from escrow.domain.collections.batch import BATCHES
from escrow.domain.collections.batch_commands import PayFromBalance
from escrow.domain.collections.batch_payments import Share, batch_consent_no, batch_terms
from escrow.domain.collections.mandates import SIGN, mandate_terms
from escrow.domain.decisions import Command, ObjectKind
from escrow.domain.members.mandate import MANDATES, Sign
from escrow.domain.members.member import MEMBERS, AskIdentity
from escrow.domain.members.verification import VERIFICATIONS, Ask
from escrow.domain.members.verification_rules import VerificationMethod
from escrow.domain.money.journal import Basis
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.transfers.commands import Pay
from escrow.domain.transfers.making import PAYMENTS
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no, transfer_terms
from escrow.ledger.books import Books
from escrow.ledger.consents import Consent, NewConsent, record_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import HOME
from tests.ledger.orders import CONTRACTOR, OWNER, PRICE_FEN, Parties, open_platform

BY_CODE = {"authorisation": dict.fromkeys(("pay", "unguaranteed_payment", "sign_mandate", "close_member"), "sms_code")}


class Straight:
    """Whoever records what a party is said to have agreed to, and goes straight at the books with it."""

    def __init__(self, owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder) -> None:
        self.owner, self.writer, self.recorder = owner, writer, recorder

    async def opens(self, **config: Any) -> None:
        """The platform opens, under version 1 of its configuration."""
        await open_platform(self.owner, self.writer, **config)

    async def changes(self, version: int, **config: Any) -> None:
        """The platform's configuration becomes another."""
        await self.owner.execute(
            "INSERT INTO platform_config (platform_no, version, document, recorded_at) VALUES ($1, $2, $3, now())",
            HOME,
            version,
            json.dumps(PlatformConfig.model_validate(config).model_dump(mode="json")),
        )

    async def agreed(
        self, kind: str, object_no: str, operation: str, by: str, terms: Mapping[str, Any], **more: Any
    ) -> Consent:
        """A consent, by the platform's key unless it is said how."""
        consent_no = more.pop("consent_no", f"{object_no}-{operation}-{more.get('method', 'key')}")
        new = NewConsent(
            platform_no=HOME, consent_no=consent_no, object_kind=kind, object_no=object_no, operation=operation,
            given_by=by, terms=terms, valid_for=timedelta(days=1), **more,
        )  # fmt: skip
        return (await record_consent(self.recorder, new))[0]

    async def told(self, kind: ObjectKind[Any], object_no: str, command: Command) -> str:
        """`done`, or the code with which the books refuse it."""
        taken = await Books(self.writer, self.recorder).take(kind, HOME, object_no, command)
        assert taken.remaining is None
        return "done" if taken.refusal is None else taken.refusal.code


@pytest_asyncio.fixture
async def straight(owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder) -> Straight:
    return Straight(owner, writer, recorder)


async def signing(straight: Straight, mandate_no: str, **how: Any) -> str:
    """What becomes of a mandate that was consented to so."""
    terms: dict[str, Any] = {"account_id": "A-1", "per_debit_fen": 1, "per_day_fen": 2, "last_day": date(2099, 1, 1)}
    consent = await straight.agreed("mandate", mandate_no, SIGN, OWNER, mandate_terms(**terms), **how)
    basis = Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)
    return await straight.told(MANDATES, mandate_no, Sign(consent=basis, by=OWNER, **terms))


async def paying(straight: Straight, number: str, **how: Any) -> str:
    """What becomes of a payment without a guarantee that was consented to so."""
    terms = transfer_terms(subject_no=CONTRACTOR, member_no=OWNER, amount_fen=10)
    number_of_consent = transfer_consent_no(TransferKind.PAYMENT, number)
    await straight.agreed("payment", number, "payment", OWNER, terms, consent_no=number_of_consent, **how)
    return await straight.told(PAYMENTS, number, Pay(transfer_no=number))


async def batch_of(straight: Straight, batch_no: str, order_nos: tuple[str, ...], **how: Any) -> str:
    """What becomes of orders that are paid together from the balance, on such a consent."""
    shares = [
        Share(order_no=order_no, payee_no=CONTRACTOR, amount_fen=PRICE_FEN, inspection_days=7) for order_no in order_nos
    ]
    terms, number = batch_terms(shares, paid_by="balance"), batch_consent_no(batch_no)
    await straight.agreed("batch_payment", batch_no, "batch_payment", OWNER, terms, consent_no=number, **how)
    return await straight.told(BATCHES, batch_no, PayFromBalance(batch_no=batch_no))


async def test_the_platforms_key_alone_moves_nothing_where_the_party_itself_must_agree(straight: Straight) -> None:
    await straight.opens(**BY_CODE)
    order = Parties(straight.writer, straight.recorder, "D-1")
    await order.opened()
    refused = await order.take(await order.says(OrderCommand.PAY, OWNER))
    assert refused.refusal is not None
    assert refused.refusal.details == {"operation": "pay", "method": "sms_code"}
    assert await paying(straight, "P-1") == "authorisation_required"
    assert await signing(straight, "M-1") == "authorisation_required"

    assert await straight.owner.fetchval("SELECT count(*) FROM entry") == 1, "what the owner had"
    assert await paying(straight, "P-2", method="payment_password") == "authorisation_required"
    assert await paying(straight, "P-3", method="sms_code") == "done"
    assert await signing(straight, "M-2", method="sms_code") == "done"


async def test_what_was_agreed_to_is_judged_by_the_configuration_of_then(straight: Straight) -> None:
    await straight.opens()
    await straight.changes(2, **BY_CODE)

    assert await paying(straight, "P-1", config_version=1) == "done"
    assert await paying(straight, "P-2", config_version=2) == "authorisation_required"
    assert await paying(straight, "P-3") == "authorisation_required", "of which nobody knows when, by what is in force"
    assert await signing(straight, "M-1", config_version=1) == "done"
    assert await signing(straight, "M-2") == "authorisation_required"


async def test_a_batch_is_no_way_around_what_one_of_its_orders_needs(straight: Straight) -> None:
    await straight.opens(**BY_CODE)
    await Parties(straight.writer, straight.recorder, "D-1").opened()
    await straight.changes(2)

    assert await batch_of(straight, "B-1", ("D-1",), config_version=2) == "authorisation_required"
    assert await batch_of(straight, "B-2", ("D-1",), config_version=2, method="sms_code") == "done"


async def test_a_batch_pays_no_order_whose_own_configuration_has_that_off(straight: Straight) -> None:
    await straight.opens(functions={"balance_payment": False})
    await Parties(straight.writer, straight.recorder, "D-1").opened()
    await straight.changes(2)

    assert await batch_of(straight, "B-1", ("D-1",), config_version=2) == "function_off"


@pytest.mark.parametrize("function", ["identity_check", "micro_deposit", "unionpay_check", "direct_debit"])
async def test_nothing_begins_whose_function_is_off(straight: Straight, function: str) -> None:
    await straight.opens()
    await straight.changes(2, functions={function: False})
    consent = await straight.agreed("member", OWNER, "anything", OWNER, {})
    basis = Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)
    methods = {"micro_deposit": VerificationMethod.MICRO_DEPOSIT, "unionpay_check": VerificationMethod.UNIONPAY}
    if function == "direct_debit":
        assert await signing(straight, "M-1") == "function_off"
    elif function == "identity_check":
        ask = AskIdentity(consent=basis, check_no="IC-1", subject="digest")
        assert await straight.told(MEMBERS, OWNER, ask) == "function_off"
    else:
        verify = Ask(consent=basis, member_no=OWNER, account_id="A-1", method=methods[function])
        assert await straight.told(VERIFICATIONS, "V-1", verify) == "function_off"
