"""Client of the sandbox bank's micro-deposits and UnionPay checks."""

from escrow.channels.sandbox_bank.connection import BankConnection, path
from escrow.channels.sandbox_bank.messages import wire_amount
from escrow.channels.sandbox_verification.capabilities import CardCheckBanks
from escrow.channels.sandbox_verification.messages import CardCheckState, DepositState, card_message, deposit_message
from escrow.channels.verification import CardCheckOrder, MicroDepositOrder
from escrow.domain.members.account_verification import CardCheckAnswer, MicroDepositAnswer


class SandboxVerification:
    """Implements `AccountVerification`; the protocol says what its errors mean.

    `custody_account_no` may be left out where the bank knows the number.
    """

    def __init__(self, connection: BankConnection) -> None:
        self._connection = connection

    async def card_check_banks(self) -> frozenset[str]:
        """Banks whose cards are checked now; raises `BankUnreachable`."""
        return (await self._connection.ask(path("card-checks", "capabilities"), CardCheckBanks)).as_banks()

    async def send_micro_deposit(self, order: MicroDepositOrder) -> MicroDepositAnswer:
        """Send a micro-deposit once."""
        content = deposit_message(order)
        return (await self._connection.command(path("micro-deposits"), content, DepositState)).as_answer()

    async def query_micro_deposit(self, request_no: str, *, custody_account_no: str = "") -> MicroDepositAnswer:
        """State of a micro-deposit; raises `BankUnreachable`."""
        target = path("micro-deposits", reqSeq=request_no, acctNo=custody_account_no)
        return (await self._connection.ask(target, DepositState)).as_answer()

    async def confirm_micro_deposit(self, request_no: str, *, amount_fen: int, reference: str) -> MicroDepositAnswer:
        """Try an amount under its reference."""
        content = {"reqSeq": request_no, "amt": wire_amount(amount_fen), "reference": reference}
        return (await self._connection.command(path("micro-deposits", "confirm"), content, DepositState)).as_answer()

    async def start_card_check(self, order: CardCheckOrder) -> CardCheckAnswer:
        """Start a UnionPay check once."""
        return (await self._connection.command(path("card-checks"), card_message(order), CardCheckState)).as_answer()

    async def query_card_check(self, request_no: str, *, custody_account_no: str = "") -> CardCheckAnswer:
        """State of a UnionPay check; raises `BankUnreachable`."""
        target = path("card-checks", reqSeq=request_no, acctNo=custody_account_no)
        return (await self._connection.ask(target, CardCheckState)).as_answer()

    async def confirm_card_check(self, request_no: str, code: str) -> CardCheckAnswer:
        """Try a code."""
        content = {"reqSeq": request_no, "code": code}
        return (await self._connection.command(path("card-checks", "confirm"), content, CardCheckState)).as_answer()

    async def send_card_code_again(self, request_no: str) -> CardCheckAnswer:
        """Send a new code; without a readable answer `BankUnreachable`, and another code may be sent."""
        target = path("card-checks", "code")
        return (await self._connection.ask(target, CardCheckState, {"reqSeq": request_no})).as_answer()
