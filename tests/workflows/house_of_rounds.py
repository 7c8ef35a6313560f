"""A stack whose rounds are made when a test says so, and a platform whose time is let pass in its books alone."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from activities.rounds import TakenUp, TakeUp
from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.commands.books import Books
from escrow.commands.verify import settled_differences
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.state import collection_no
from escrow.domain.collections.terms import TOP_UP, CollectionStatus, collecting_terms, collection_terms
from escrow.domain.collections.terms import opening_consent_no as collection_consent_no
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.sms_texts import TEXT_CLOCK
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no, transfer_terms
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.books import known
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, record_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.objects import get_object
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.progress import late_objects
from escrow.registry.registry import Registry
from escrow.sandbox.skipping import PlatformSkip
from escrow.settings import Settings, variable_of
from escrow.stack.up import Stack
from tests.api.platforms import Platform
from tests.servers import RARELY, making_platforms
from tests.story_collections import last_asked
from tests.waiting import PATIENCE_SECONDS, until, within_reason
from workflows.messages import LOOK
from workflows.rounds import ROUNDS_WORKFLOW_ID
from workflows.taking_up import the_rounds

#: So long its bank takes for what it is stuck with, and until it says of what it was made to lose that it will never
#: arrive: longer than a slow machine needs to bring everything there, and shorter than a payer has time.
BANK_TAKES = timedelta(minutes=25)
_BETWEEN_ROUNDS_SECONDS = 1


@dataclass(frozen=True, kw_only=True)
class House:
    """One platform on a stack; `going_round` is what has rounds made one after another."""

    stack: Stack
    client: Client
    platform: Platform
    books: Books
    writer: LedgerWriter
    at_bank: SandboxBank
    going_round: list[asyncio.Task[None]] = field(default_factory=list)

    async def nobody_goes_round(self) -> None:
        """No more rounds are made but those of the worker, which are rare."""
        while self.going_round:
            task = self.going_round.pop()
            task.cancel()
            await asyncio.wait([task])

    async def rounds_are_made(self) -> None:
        """Rounds are made from now on, one after another; the first one is over when this returns."""
        await self.a_round_is_made()
        self.going_round.append(asyncio.create_task(self._goes_round()))

    async def a_round_is_made(self) -> None:
        """A round is made now, and is over when this returns."""
        await self.nobody_goes_round()
        try:
            await self.client.get_workflow_handle(ROUNDS_WORKFLOW_ID).terminate("a test has one begun now")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        began = await self.books.recorder.row("SELECT now() AS at")
        assert began is not None
        await self._go_round()

        async def one_is_made() -> bool:
            made = await self.books.recorder.row("SELECT made_at FROM last_round")
            return made is not None and made["made_at"] > began["at"]

        await until(one_is_made, "a round is made")

    async def _goes_round(self) -> None:
        while True:
            await asyncio.sleep(_BETWEEN_ROUNDS_SECONDS)
            await self._go_round()

    async def _go_round(self) -> None:
        """Whoever goes round does so now; the worker may have begun it already."""
        rounds = the_rounds(every=RARELY)
        await self.client.start_workflow(
            rounds.workflow,
            rounds.reference,
            id=rounds.workflow_id,
            task_queue=rounds.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=LOOK,
        )

    async def opening_is_asked(self, order: dict[str, Any]) -> None:
        """The platform has said by which contract an order is to be opened, and nothing has heard it."""
        terms = {"inspection_days": None, "retention_days": None, "withdraw_automatically": False} | order
        await self._is_asked(
            opening_consent_no(order["order_no"]),
            order["order_no"],
            "open",
            PLATFORM_ITSELF,
            terms,
        )

    async def word_is_asked(
        self, order_no: str, operation: OrderCommand, by: str, milestone: int | None = None
    ) -> None:
        """A party has said something, and nothing has heard it."""
        order = await known(self.books.recorder, ORDERS, self.platform.number, order_no)
        terms = order.contract.terms(operation, milestone)
        await self._is_asked(f"{order_no}-asked", order_no, operation.value, by, terms)

    async def withdrawal_is_asked(self, withdrawal_no: str, principal_fen: int) -> None:
        """The owner has asked for a withdrawal, and nothing has heard it."""
        terms = withdrawal_terms(account_id="", principal_fen=principal_fen, fee_fen=0)
        await self._is_asked(f"{withdrawal_no}-asked", withdrawal_no, "withdraw", "O-1", terms, kind="withdrawal")

    async def payment_is_asked(self, payment_no: str, amount_fen: int) -> None:
        """The owner has asked for a payment to the contractor, and nothing has heard it."""
        await self.transfer_is_asked(TransferKind.PAYMENT, payment_no, "O-1", "C-1", amount_fen)

    async def transfer_is_asked(
        self, kind: TransferKind, transfer_no: str, by: str, subject_no: str, amount_fen: int
    ) -> None:
        """Somebody has asked for a transfer, of the owner's or to it, and nothing has heard it."""
        terms = transfer_terms(subject_no=subject_no, member_no="O-1", amount_fen=amount_fen)
        await self._is_asked(transfer_consent_no(kind, transfer_no), transfer_no, kind, by, terms, kind=kind)

    async def top_up_is_asked(self, top_up_no: str, amount_fen: int) -> None:
        """The owner has asked for a top-up by a code to scan, and nothing has heard it."""
        how = collection_terms(method=CollectionMethod.QR_WECHAT.value, amount_fen=amount_fen)
        terms = collecting_terms(how, subject=top_up_no, expires_in_minutes=30)
        number = collection_consent_no(top_up_no)
        await self._is_asked(number, top_up_no, TOP_UP, "O-1", terms, kind="pay_in")

    async def payer_pays(self, pay_in_no: str, *, amount_fen: int | None = None) -> None:
        """The payer pays what a channel shows, or another amount, as soon as it shows it."""

        async def shown() -> int | None:
            found = await get_object(self.books.recorder, self.platform.number, "pay_in", pay_in_no)
            if found is None or found.status == CollectionStatus.OPENED:
                return None
            return last_asked(found.body)

        number = collection_no(pay_in_no, await until(shown, f"a channel shows {pay_in_no}"))
        await self.platform.bank.pay(bank_request_no(self.platform.number, number), amount_fen=amount_fen)

    async def _is_asked(
        self, number: str, object_no: str, operation: str, by: str, terms: Any, *, kind: str = "order"
    ) -> None:
        configurations = self.books.registry.platforms.configurations
        await record_consent(
            self.books.recorder,
            NewConsent(
                platform_no=self.platform.number,
                consent_no=number,
                object_kind=kind,
                object_no=object_no,
                operation=operation,
                given_by=by,
                terms=terms,
                valid_for=CONSENT_VALIDITY,
                asked=True,
                config_version=(await configurations.current(self.platform.number)).version,
            ),
        )

    async def time_passes(self, span: timedelta) -> None:
        """So much time passes, and rounds take up what is late then: no clock of Temporal's is moved."""
        await self.time_passes_unseen(span)
        await self.nothing_is_late()

    async def time_passes_unseen(self, span: timedelta) -> None:
        """So much time passes in the books and at the bank."""
        skipping = PlatformSkip(
            temporal=self.client,
            recorder=self.books.recorder,
            writer=self.writer,
            sandbox=self.platform.bank,
            platform_no=self.platform.number,
            custody_account_no=self.platform.custody_account_no,
        )
        await skipping._books_and_bank_to(await skipping.now() + span)

    async def all_is_taken_up(self, object_no: str | None = None) -> None:
        """An operator has everything unfinished taken up, as `escrow resume --all` does, or one number."""
        rounds, after = self.client.get_workflow_handle(ROUNDS_WORKFLOW_ID), None
        while True:
            request = TakeUp(platform_no=self.platform.number, object_no=object_no, after=after)
            taken = await rounds.execute_update("resume", request, result_type=TakenUp)
            after = taken.after
            if after is None:
                return

    async def nothing_is_late(self) -> None:
        """Rounds have taken up whatever was late."""

        async def all_go_on() -> bool:
            return not await late_objects(self.books.recorder, self.platform.number, limit=1)

        async def still_late() -> list[Any]:
            return await late_objects(self.books.recorder, self.platform.number, limit=5)

        await until(all_go_on, "rounds take up what is late", seen=still_late)

    async def all_are_told(self) -> None:
        """No text is due any more."""

        async def due() -> list[str]:
            return [number for number, name, _ in await self.deadlines() if name == TEXT_CLOCK]

        async def none_is_due() -> bool:
            return not await due()

        await until(none_is_due, "whoever is to be told is told", seen=due)

    async def deadlines(self) -> set[tuple[str, str, str]]:
        """Every deadline that runs: number of its object, name, moment."""
        rows = await self.books.recorder.rows(
            "SELECT object_no, name, due_at FROM deadline WHERE platform_no = $1", self.platform.number
        )
        return {(row["object_no"], row["name"], str(row["due_at"])) for row in rows}

    async def texts(self) -> list[str]:
        """Text messages that were sent for the platform."""
        sent = await self.platform.bank.sms_outbox()
        return [item.text for item in sent if item.req_seq.startswith(f"{self.platform.number}/")]

    async def escrow(self, *arguments: str, fails: bool = False) -> str:
        """What the command line says, standard error too; it must end with code 0, or fail."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from escrow.cli import main; main()",
            *arguments,
            env={**os.environ, **self.stack.environment, "DATABASE_URL": self.stack.postgres.dsn, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await within_reason(process.communicate(), f"escrow {' '.join(arguments)}")
        assert bool(process.returncode) == fails, said.decode()
        return said.decode()

    async def books_are_sound_and_equal(self) -> None:
        """No invariant is broken, and the bank's own balance is the sum of our sub-accounts."""
        connection = await asyncpg.connect(self.stack.postgres.superuser_dsn)
        try:
            assert await check_invariants(connection, self.platform.number) == []
        finally:
            await connection.close()
        account_no = self.platform.custody_account_no
        found = await settled_differences(
            self.books, self.at_bank, self.platform.number, account_no, wait_seconds=PATIENCE_SECONDS
        )
        assert found == []


@asynccontextmanager
async def opened_house(
    stack: Stack, config: PlatformConfig | None = None, *, begins_at: datetime | None = None
) -> AsyncIterator[House]:
    """A platform on a stack on which runs are broken."""
    async with AsyncExitStack() as opened:
        platforms = await opened.enter_async_context(making_platforms(stack))
        names = ("bank_url", "bank_key", "data_key", "index_key")
        settings = Settings.model_validate(
            {"DATABASE_URL": stack.postgres.dsn} | {name: stack.environment[variable_of(name)] for name in names}
        )
        recorder, writer = Recorder(stack.postgres.dsn), await LedgerWriter.start(stack.postgres.dsn)
        opened.push_async_callback(recorder.close)
        opened.push_async_callback(writer.close)
        box = PersonalDataBox.from_hex(
            data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
        )
        at_bank = SandboxBank(settings.bank_url, settings.bank_key.get_secret_value())
        opened.push_async_callback(at_bank.aclose)
        house = House(
            stack=stack,
            client=await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter),
            platform=await platforms.open(config, begins_at=begins_at),
            books=Books(settings=settings, recorder=recorder, registry=Registry(recorder, box)),
            writer=writer,
            at_bank=at_bank,
        )
        opened.push_async_callback(house.nobody_goes_round)
        opened.push_async_callback(house.platform.bank.reset)  # whatever a test made of it, the next finds it well
        yield house
