"""The application: routers, problems, metrics, and a lifespan that waits for nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from temporalio.client import Client

from api import authorisations, bank_callbacks, health, problems, sandbox
from api.background import Background
from api.books import accounts, attention, events, statements
from api.collections import batch_payments, direct_payments, mandates, payer_codes, top_ups
from api.dependencies import Services
from api.member_consents import AwaitsMember, on_awaits_member
from api.members import account_verifications, bank_accounts, identity_checks, payment_password_links
from api.members import routes as members
from api.metrics import CallMetrics, MeasureCalls
from api.orders import routes as orders
from api.pages import cashier, page
from api.platforms import configuration, platform, sub_accounts
from api.platforms.functions import PREFIX, refuse_switched_off
from api.processes import Processes
from api.transfers import payments, suspense, suspense_returns
from api.withdrawals import routes as withdrawals
from escrow.channels.bank import Bank, bank_of
from escrow.domain.errors import EscrowError
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.registry import Registry
from escrow.settings import Settings
from escrow.stack.temporal_client import connect_temporal

_DESCRIPTION = """
Escrow for home decoration. An owner pays a decoration contract in full; the money is released to the contractor
stage by stage as the work is accepted, and withdrawn to a bank account.

**Keys.** Send `Authorization: Bearer <key>`. All you see and do is your own platform's; an object of another platform
is answered like one that does not exist. A key works over the lines that the operator opened for its platform: the
public internet, or a leased line with a client certificate registered for it.

**Numbers and repeats.** You name every object and every command by numbers of your own. What succeeded is done
once, and the same call with the same content is answered as the first time, however often it is sent; with other
content it is refused with `request_no_reused`. A refusal of opening or commanding an order, of a withdrawal, a
payment, a top-up, or of what is done with money in suspense leaves the number free, and the same call is judged
anew; any other refusal, and of what a member authorised, stays: ask under a new number. After a time-out or a 503,
repeat the same call.

**Authorisations.** What your configuration lets members authorise themselves is answered with 202 and the address of a
page: send the member there, or embed it. Repeat the same call for the outcome: 202 while it waits, 200 when it is done.

**Amounts** are integers in fen, 1/100 yuan. **Times** are RFC 3339. Unknown fields are refused.

**Problems** are RFC 9457 problem details; decide by `code`, show `detail` to people.
"""

_TAGS = [
    {"name": "platform", "description": "Your configuration and the money you hold in custody."},
    {"name": "members", "description": "Owners and contractors."},
    {"name": "bank accounts", "description": "Where withdrawals go and recognised transfers come from."},
    {"name": "orders", "description": "Decoration contracts, from payment to the end of the warranty."},
    {"name": "batch payments", "description": "Many orders of one owner, paid together on one consent."},
    {"name": "withdrawals", "description": "Money to bank accounts, with the reasons for the rail it took."},
    {"name": "authorisations", "description": "What members authorise themselves, on pages that you cannot read."},
    {"name": "top-ups", "description": "Money in through collection channels, from a QR code to online acquiring."},
    {"name": "mandates", "description": "What members let be debited from their cards: signed, used, revoked."},
    {"name": "payments", "description": "Money from member to member at once, without an order."},
    {"name": "suspense", "description": "Money that came in and belongs to no member yet."},
    {"name": "accounts", "description": "Balances and the lines behind them."},
    {"name": "attention", "description": "What waits for a person, and with how much money."},
    {"name": "events", "description": "Every change of every object, numbered per object."},
    {"name": "sandbox", "description": "For tests on a sandbox stack: time, text messages. Absent elsewhere."},
    {"name": "bank", "description": "For the bank alone: its signed notices."},
    {"name": "operation", "description": "For those who run this service."},
]


#: Modules whose endpoints are a platform's, in the order of the description.
_OF_PLATFORMS = (
    sub_accounts,
    platform,
    configuration,
    members,
    identity_checks,
    payment_password_links,
    bank_accounts,
    account_verifications,
    orders,
    direct_payments,
    batch_payments,
    withdrawals,
    top_ups,
    mandates,
    payer_codes,
    payments,
    suspense,
    suspense_returns,
    authorisations,
    accounts,
    statements,
    attention,
    events,
    sandbox,
)


def _services(settings: Settings, bank: Bank, client: Client) -> Services:
    recorder = Recorder(settings.database_url, answer_seconds=settings.ledger_answer_seconds, pool_size=10)
    box = PersonalDataBox.from_hex(
        data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
    )
    return Services(
        settings=settings,
        reader=recorder,
        recorder=recorder,
        registry=Registry(recorder, box),
        processes=Processes(client, answer_seconds=settings.command_answer_seconds),
        bank=bank,
        background=Background(),
    )


def create_app(settings: Settings, *, client: Client | None = None) -> FastAPI:
    """Make the application. It starts whether or not Temporal and PostgreSQL are there, and recovers by itself.

    Args:
        client: Temporal client to use; None connects by the environment with the first call.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bank = bank_of(settings)
        services = _services(settings, bank, client or await connect_temporal(lazy=True))
        app.state.services = services
        yield
        await services.background.finish()
        await bank.aclose()
        await services.reader.close()

    app = FastAPI(
        title="Decoration escrow",
        summary="Escrow, split and payout for home-decoration platforms.",
        description=_DESCRIPTION,
        version=version("decoration-escrow"),
        openapi_tags=_TAGS,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.metrics = CallMetrics()
    app.add_middleware(MeasureCalls, metrics=app.state.metrics)
    app.add_exception_handler(EscrowError, problems.on_escrow_error)
    app.add_exception_handler(AwaitsMember, on_awaits_member)
    app.add_exception_handler(RequestValidationError, problems.on_validation_error)
    app.add_exception_handler(HTTPException, problems.on_http_exception)
    app.add_exception_handler(Exception, problems.on_fault)
    for module in _OF_PLATFORMS:
        app.include_router(module.router, prefix=PREFIX, dependencies=[Depends(refuse_switched_off)])
    app.include_router(sandbox.opening, prefix=PREFIX)
    app.include_router(bank_callbacks.router)
    app.include_router(cashier.router)
    app.include_router(page.router)
    app.include_router(health.router)
    return app
