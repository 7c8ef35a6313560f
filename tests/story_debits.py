"""Sentences about members who are debited: mandates, direct debits, quick payments and their codes."""

from datetime import timedelta
from typing import Any

from stdnum import luhn
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from escrow.domain.collections.mandates import REVOKE, SIGN, MandateStatus, mandate_terms
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import COLLECT, TOP_UP, collection_terms
from escrow.domain.money.amounts import yuan
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.ledger.consents import Consent, NewConsent, record_consent
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.collections.mandates import Mandate
from escrow.registry.members.members import MemberKind
from tests.story import Story
from tests.story_collections import Cashier
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER
from workflows.collection_messages import CodeCompared, CodeTry
from workflows.mandate import MandateProcess
from workflows.messages import PAYMENTS_TASK_QUEUE, MandateInput, mandate_workflow_id

#: The name and mobile of UnionPay's public test identity; the bank sends it always the same code.
NAME, MOBILE, CODE = "全渠道", "13552535506", "111111"
DEBIT, QUICK = CollectionMethod.DIRECT_DEBIT, CollectionMethod.QUICK
MANDATE = "M-1"


def card(account_id: str, prefix: str = "622202") -> NewBankAccount:
    """A card of ICBC, or of another bank's prefix."""
    body = prefix + f"{sum(account_id.encode()):012d}"
    return NewBankAccount(
        account_id=account_id,
        account_no=body + luhn.calc_check_digit(body),
        account_name=NAME,
        is_corporate=False,
    )


class Debtors(Cashier):
    """Members of one story who let their cards be debited."""

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self.story = story

    async def open(self, prefix: str = "622202") -> None:
        """Owner with a card that the bank knows, and contractor."""
        await self.story.member_opens(OWNER, MemberKind.PERSON, card("A-O1", prefix), mobile=MOBILE)
        await self.story.member_opens(CONTRACTOR, MemberKind.COMPANY, CONTRACTORS_ACCOUNT, mobile="13900000002")

    # ---- mandates ----

    async def signs(self, number: str = MANDATE, member_no: str = OWNER, **changes: Any) -> Mandate:
        """The member signs a mandate, and the bank takes it; 200,000.00 at once and on one day, by default."""
        terms: dict[str, Any] = {
            "account_id": "A-O1",
            "per_debit_fen": 20_000_000,
            "per_day_fen": 20_000_000,
            "last_day": await self.story.last_day(365),
            **changes,
        }
        consent = await self._consent(f"{number}-sign", "mandate", number, SIGN, member_no, mandate_terms(**terms))
        await self.story.stage.registry.mandates.sign(consent)
        await self.looked_after(number)
        return await self.mandate_is(MandateStatus.ACTIVE, number)

    async def looked_after(
        self, number: str = MANDATE, *, continue_after_events: int = 8_000
    ) -> WorkflowHandle[Any, Any]:
        """What looks after a mandate begins."""
        return await self.story.stage.client.start_workflow(
            MandateProcess.run,
            MandateInput(
                platform_no=self.story.platform_no, mandate_no=number, continue_after_events=continue_after_events
            ),
            id=mandate_workflow_id(self.story.platform_no, number),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def revokes(self, number: str = MANDATE) -> None:
        """The member revokes its mandate; the bank is not told yet."""
        consent = await self._consent(f"{number}-revoke", "mandate", number, REVOKE, OWNER, {})
        await self.story.stage.registry.mandates.revoke(consent)

    async def mandate_is(self, status: MandateStatus, number: str = MANDATE) -> Mandate:
        """The mandate gets into a status; how it is then."""

        async def does() -> bool:
            return (await self.mandate(number)).status is status

        await self.story.until(does, f"{number} is {status}")
        return await self.mandate(number)

    async def mandate(self, number: str = MANDATE) -> Mandate:
        """The mandate as the books have it."""
        return await self.story.stage.registry.mandates.get(self.story.platform_no, number)

    def mandate_process(self, number: str = MANDATE) -> WorkflowHandle[Any, Any]:
        """What looks after a mandate."""
        return self.story.stage.client.get_workflow_handle_for(
            MandateProcess.run, mandate_workflow_id(self.story.platform_no, number)
        )

    # ---- collections ----

    async def consents_to(self, number: str, amount: str, *, by: str = OWNER, **how: str) -> None:
        """A member consents to be debited so for a top-up."""
        method = DEBIT if "mandate_no" in how else QUICK
        await self.asked_for(
            number, TOP_UP, collection_terms(method=method.value, amount_fen=yuan(amount), **how), by=by
        )

    async def is_debited(
        self, amount: str, *, number: str = "T-1", by: str = OWNER, **how: str
    ) -> WorkflowHandle[Any, Any]:
        """The owner consents to a top-up from its card or under its mandate, which begins."""
        await self.consents_to(number, amount, by=by, **how)
        return await self.begins(number)

    async def pays_order(self, number: str = "D-1001:pay:1", **how: str) -> None:
        """The owner consents to pay the story's order and to be debited for it."""
        method = DEBIT if "mandate_no" in how else QUICK
        contract = self.story.signed
        command = await self.story.consents(Operation.PAY, OWNER, method=method.value)
        terms = collection_terms(method=method.value, amount_fen=contract.total_fen, **how)
        await self.asked_for(number, COLLECT, terms, order_no=contract.order_no, pays_by=command.request_no)
        await self.begins(number)

    async def reason_code(self, number: str = "T-1") -> str:
        """By which rule nothing was sent, as the books say."""
        return str((await self.story.in_the_books("pay_in", number)).body["reason_code"])

    async def types(self, code: str, *, number: str = "T-1", request_no: str = "") -> str:
        """The payer types a code; how it compared."""
        codes = self.story.stage.registry.collection_codes
        count = await codes.count_try(self.story.platform_no, number, request_no or f"R-{code}", code, is_awaited=True)
        compared = await self.handle(number).execute_update(
            "compare_code", CodeTry(number=count), result_type=CodeCompared
        )
        return str(compared.outcome.value)

    async def debited(self, number: str = "T-1", attempt: int = 1) -> None:
        """The bank has ended a debit, and tells the top-up."""
        await self.bank_ends(number, attempt)
        await self.channel_notifies(number=number)

    async def bank_ends(self, number: str = "T-1", attempt: int = 1) -> None:
        """The bank has taken a debit in, and has ended it."""

        async def was_taken() -> bool:
            # Not asked of the bank: a number that it is asked about before it comes is soon closed there.
            if not await self.story.is_entered("pay_in", number):
                return False
            books = (await self.story.in_the_books("pay_in", number)).body["asked"]
            return len(books) >= attempt and (await self.story.in_the_books("pay_in", number)).status != "opened"

        async def has_ended() -> bool:
            return (await self.channel_says(number, attempt)).status in ("paid", "failed")

        await self.story.until(was_taken, f"debit {attempt} of {number} is taken in")
        await self.story.until(has_ended, f"debit {attempt} of {number} ends")

    async def _consent(
        self, consent_no: str, kind: str, object_no: str, operation: str, by: str, terms: dict[str, Any]
    ) -> Consent:
        consent, _ = await record_consent(
            self.story.stage.recorder,
            NewConsent(
                platform_no=self.story.platform_no,
                consent_no=consent_no,
                object_kind=kind,
                object_no=object_no,
                operation=operation,
                given_by=by,
                terms=terms,
                valid_for=timedelta(days=1),
            ),
        )
        return consent
