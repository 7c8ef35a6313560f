"""The worker: settings → ledger and bank channel → activities → workers that poll Temporal until SIGTERM.

Composition root: everything is put together here, and nothing imports it.
"""

import asyncio
import itertools
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import structlog
import uvloop
from prometheus_client import Gauge, start_http_server
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.bank_book import BankBook
from activities.bank_lines import BankLineActivities
from activities.batch_payments import BatchPaymentActivities
from activities.books_time import BooksTimeActivities
from activities.collections import CollectionActivities
from activities.failures import FailureMapping
from activities.identity import IdentityActivities
from activities.mandates import MandateActivities
from activities.member_closing import MemberClosingActivities
from activities.notices import Texts
from activities.orders import OrderActivities
from activities.payers import Payers
from activities.payout_routes import PayoutRoutes
from activities.quick_payments import QuickPaymentActivities
from activities.returns import ReturnActivities
from activities.rounds import RoundActivities
from activities.settlements import Settlements
from activities.taking_up import TakingUp
from activities.telemetry import Telemetry
from activities.transfers import TransferActivities
from activities.verification import VerificationActivities
from activities.withdrawals import WithdrawalActivities
from escrow.channels.bank import Bank, bank_of
from escrow.domain.errors import LedgerUnavailable
from escrow.domain.time.calendars import SHANGHAI, CalendarSource, calendar_source
from escrow.leave import leave
from escrow.ledger.attention import held_and_needing_attention
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.books import Books
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import LedgerWriter
from escrow.logs import configure_logs
from escrow.memory import keep_what_is_loaded
from escrow.registry.registry import Registry
from escrow.settings import Settings, SettingsError, load_settings
from escrow.stack.agreement import agreed_on_sandbox, require_agreement
from escrow.stack.temporal_client import connect_temporal
from escrow.stack.workflow_runner import ContextFreeSandbox
from workflows.account_verification import AccountVerification
from workflows.bank_watch import BankWatch
from workflows.batch_payment import BatchPayment
from workflows.collection import CollectionProcess
from workflows.direct_refund import DirectRefundProcess
from workflows.identity_check import IdentityCheck
from workflows.mandate import MandateProcess
from workflows.member_closing import MemberClosing
from workflows.messages import ORDERS_TASK_QUEUE, PAYMENTS_TASK_QUEUE, PROCESSES
from workflows.order import DecorationOrder
from workflows.rounds import Rounds
from workflows.taking_up import process_of, the_rounds, watch_of
from workflows.transfer import Transfer
from workflows.withdrawal import Withdrawal

HELD_FEN = Gauge("escrow_held_fen", "Money held in escrow for orders, in fen", ["platform"])
NEEDING_ATTENTION = Gauge("escrow_needing_attention", "Objects that wait for a person", ["platform"])

#: How often gauges are read and new platforms get their watch.
_ROUND_SECONDS = 10
#: A watch that was begun is looked after again so many rounds later, in case somebody ended it.
_ROUNDS_BETWEEN_LOOKS = 6
#: How far ahead the working calendar should be known: a bounce horizon and a long holiday.
_CALENDAR_AHEAD = timedelta(days=45)
#: A ledger posting gives up before its activity's time-out, so that its outcome is reported, not guessed.
_LEDGER_RETRY_SECONDS = 3.0

_log = structlog.get_logger("worker")


class Activities:
    """All activities of this process over one ledger writer, one recorder and one bank channel."""

    def __init__(self, settings: Settings, writer: LedgerWriter, recorder: Recorder, bank: Bank) -> None:
        box = PersonalDataBox.from_hex(
            data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
        )
        self.registry = Registry(recorder, box)
        platforms, accounts = self.registry.platforms, self.registry.bank_accounts
        members = self.registry.members
        self.books_time = BooksTimeActivities(recorder)
        texts = Texts(bank, members, platforms)
        self.recorder = recorder
        self.books = books = Books(writer, recorder)
        self.orders = OrderActivities(books, recorder, texts)
        lines = BankLines(recorder, box)
        bank_book = BankBook(lines, recorder, bank)
        self.withdrawals = WithdrawalActivities(
            writer,
            recorder,
            routes=PayoutRoutes(recorder, self.registry, bank, settings.working_days),
            bank_book=bank_book,
            payouts=bank,
            texts=texts,
        )
        self.bank_lines = BankLineActivities(
            writer,
            recorder,
            bank_book,
            accounts,
            platforms,
            Settlements(writer, recorder, bank.collections, platforms),
            self.registry.verification_sendings,
        )
        self.batches = BatchPaymentActivities(books, recorder)
        self.transfers = TransferActivities(books, recorder, members, lines)
        registry, channel = self.registry, bank.collections
        payers = Payers(recorder, registry.card_holders, registry.mandates, registry.mandate_debits, channel)
        self.collections = CollectionActivities(books, recorder, payers, channel)
        self.returns = ReturnActivities(books, recorder, texts, channel)
        self.mandates = MandateActivities(recorder, registry.mandates, platforms, channel)
        self.quick_payments = QuickPaymentActivities(books, recorder, registry.collection_codes, channel)
        self.identities = IdentityActivities(recorder, bank.registry, platforms, self.registry.identity_checks)
        self.closings = MemberClosingActivities(self.registry.closings)
        self.verifications = VerificationActivities(
            recorder,
            bank.verification,
            platforms,
            self.registry.verifications,
            self.registry.verification_sendings,
            self.registry.verification_tries,
        )

    def on_orders_queue(self) -> Sequence[Callable[..., Any]]:
        """Activities that orders call."""
        orders = self.orders
        return [orders.enter_order, orders.take_order_command, orders.remind_owner]

    def of_rounds(self, client: Client) -> Sequence[Callable[..., Any]]:
        """Activities of the rounds, which look after all objects by way of `client`."""
        rounds = RoundActivities(self.books, self.recorder, TakingUp(client), process_of, PROCESSES)
        return [rounds.make_round, rounds.take_up]

    def on_payments_queue(self) -> Sequence[Callable[..., Any]]:
        """Activities that withdrawals, the bank watch and what happens to members call."""
        withdrawals = self.withdrawals
        return [
            self.books_time.books_time,
            withdrawals.take_withdrawal,
            withdrawals.send_payout,
            withdrawals.ask_about_payout,
            withdrawals.announce_withdrawal,
            self.bank_lines.fetch_bank_lines,
            self.bank_lines.book_bank_line,
            self.identities.check_identity,
            self.closings.look_at_closing,
            self.closings.complete_closing,
            self.verifications.send_verification,
            self.verifications.check_try,
            self.verifications.look_at_verification,
            self.verifications.end_verification,
            self.collections.look_after_collection,
            self.returns.give_back,
            self.returns.refund_order,
            self.returns.tell_refund_credited,
            self.mandates.register_mandate,
            self.mandates.look_at_mandate,
            self.mandates.expire_mandate,
            self.mandates.deregister_mandate,
            self.quick_payments.check_payer_code,
            self.quick_payments.send_payer_code,
            self.batches.take_batch,
            self.transfers.make_transfer,
        ]


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Poll Temporal until `stop` is set, then finish what was begun.

    Raises:
        SettingsError: books and settings do not agree on whether this is a sandbox.
    """
    async with AsyncExitStack() as opened:
        writer = await LedgerWriter.start(
            settings.database_url,
            retry_seconds=_LEDGER_RETRY_SECONDS,
            answer_seconds=settings.ledger_answer_seconds,
        )
        opened.push_async_callback(writer.close)
        recorder = Recorder(settings.database_url, answer_seconds=settings.ledger_answer_seconds)
        opened.push_async_callback(recorder.close)
        if not await agreed_on_sandbox(settings, recorder, stop):
            return
        bank = bank_of(settings)
        opened.push_async_callback(bank.aclose)
        activities = Activities(settings, writer, recorder, bank)
        client = await connect_temporal(runtime=_runtime(settings))
        grace = timedelta(seconds=settings.shutdown_grace_seconds)
        for worker in workers(client, activities, grace=grace, deployment=_deployment(settings)):
            await opened.enter_async_context(worker)
        if settings.metrics_port is not None:
            start_http_server(settings.metrics_port, settings.metrics_host)
        rounds = asyncio.create_task(_make_rounds(client, recorder, activities.registry, settings))
        rounds.add_done_callback(lambda _: stop.set())  # it ends only when the books do not agree any more
        today = datetime.now(SHANGHAI)
        for year in (today.year, (today + _CALENDAR_AHEAD).year):
            if calendar_source(year) is not CalendarSource.PUBLISHED:
                _log.warning("calendar_not_published", year=year, source=calendar_source(year))
        keep_what_is_loaded()
        _log.info("worker_ready")
        await stop.wait()
        _log.info("worker_stopping")
        if rounds.done():
            await rounds
        rounds.cancel()


def workers(
    client: Client, activities: Activities, *, grace: timedelta, deployment: WorkerDeploymentConfig | None = None
) -> list[Worker]:
    """One worker per task queue. A dead worker's sticky queue is given up after one second, not ten."""
    common: dict[str, Any] = {
        "workflow_runner": ContextFreeSandbox(),
        "interceptors": [FailureMapping(), Telemetry()],
        "graceful_shutdown_timeout": grace,
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
        "deployment_config": deployment,
    }
    return [
        Worker(
            client,
            task_queue=ORDERS_TASK_QUEUE,
            workflows=[DecorationOrder, Rounds],
            activities=[*activities.on_orders_queue(), *activities.of_rounds(client)],
            **common,
        ),
        Worker(
            client,
            task_queue=PAYMENTS_TASK_QUEUE,
            workflows=[
                Withdrawal,
                BankWatch,
                IdentityCheck,
                MemberClosing,
                CollectionProcess,
                Transfer,
                BatchPayment,
                DirectRefundProcess,
                AccountVerification,
                MandateProcess,
            ],
            activities=activities.on_payments_queue(),
            **common,
        ),
    ]


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """Orders live for months: they move on to the newest version, and `workflow.patched` keeps their replay true."""
    if settings.worker_build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.worker_deployment_name, settings.worker_build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def _runtime(settings: Settings) -> Runtime | None:
    if settings.sdk_metrics_port is None:
        return None
    address = f"{settings.metrics_host}:{settings.sdk_metrics_port}"
    return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=address)))


async def _make_rounds(client: Client, recorder: Recorder, registry: Registry, settings: Settings) -> None:
    """See that what is late is looked after, and every platform's custody account watched; keep the gauges true.

    Raises:
        SettingsError: as `require_agreement`.
    """
    taking_up = TakingUp(client)
    rounds = the_rounds(every=timedelta(seconds=settings.rounds_seconds))
    looked_after_in: dict[str, int] = {}
    for round_no in itertools.count():
        try:
            await require_agreement(settings, recorder)
            if round_no % _ROUNDS_BETWEEN_LOOKS == 0:
                await taking_up.tend(rounds)
            for platform_no in await registry.platforms.numbers():
                if round_no < looked_after_in.get(platform_no, -_ROUNDS_BETWEEN_LOOKS) + _ROUNDS_BETWEEN_LOOKS:
                    continue
                await taking_up.tend(watch_of(platform_no))
                looked_after_in[platform_no] = round_no
            for held in await held_and_needing_attention(recorder):
                HELD_FEN.labels(held.platform_no).set(held.escrow_fen)
                NEEDING_ATTENTION.labels(held.platform_no).set(held.needing_attention)
        except (LedgerUnavailable, RPCError) as error:
            _log.warning("round_failed", error=type(error).__name__)
        await asyncio.sleep(_ROUND_SECONDS)


async def _main() -> int:
    stop = asyncio.Event()
    try:
        settings = load_settings()
        configure_logs(settings.log_format, settings.log_level)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run(settings, stop)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    leave(uvloop.run(_main()))
