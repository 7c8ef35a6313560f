"""Handle of the sandbox bank for people and tests: what happens outside the bank, and what shall go wrong in it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

import httpx2
from pydantic import AwareDatetime, TypeAdapter

from escrow.channels.protocols import BankLine
from escrow.channels.sandbox_bank.messages import CHANNEL_OF_RAIL, Line, Message, wire_amount
from escrow.channels.sandbox_collections.messages import CollectionState
from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod
from escrow.domain.errors import BankUnreachable, Refused
from escrow.domain.members.identity_checks import RegistrationStatus
from escrow.domain.money.amounts import yuan
from escrow.domain.withdrawals.rails import Rail
from escrow.trust import trusted_authorities

Health = Literal["UP", "SLOW", "DOWN"]
Target = Literal["payout", "collection", "refund", "micro_deposit", "card_check", "mandate", "transfer", "sms", "read"]
LineKind = Literal["CREDIT", "PAYOUT", "CHARGE", "RETURN", "ADJUSTMENT", "SETTLEMENT"]
Service = Literal["REGISTER", "CARD_CHECK"]


class SentSms(Message):
    """A text message in the bank's outbox."""

    req_seq: str
    acct_no: str
    mobile: str
    text: str
    at: AwareDatetime


class Outlook(Message):
    """An account's time, when its next thing falls due by itself, and how many notices about it are on their way."""

    now: AwareDatetime
    next_due_at: AwareDatetime | None
    notices_waiting: int


class SandboxSteering:
    """Speaks to `/sandbox/…`, which is not signed and exists at no real bank; close it with `aclose()`.

    Every method raises `BankUnreachable` without an answer and `Refused` (`sandbox_refused`) on a no.
    """

    def __init__(self, base_url: str, *, timeout_seconds: float = 60.0) -> None:
        self._http = httpx2.AsyncClient(
            base_url=base_url, timeout=timeout_seconds, verify=trusted_authorities(), trust_env=False
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def open_custody_account(self, *, reference: str, title: str, start_at: datetime | None = None) -> str:
        """Open a custody account and answer its number; the same reference gets the same account again.

        Args:
            start_at: the first moment of the account's clock (aware); None for the bank's present time.
        """
        wanted = {"reference": reference, "title": title}
        wanted |= {} if start_at is None else {"startAt": start_at.isoformat()}
        opened = await self._ask("POST", "custody-accounts", wanted)
        return str(opened["acctNo"])

    async def transfer(
        self, *, custody_account_no: str, amount_fen: int, account_no: str, account_name: str, remark: str = ""
    ) -> BankLine:
        """Transfer money from an account elsewhere into a custody account; answers the line the bank booked."""
        booked = await self._ask(
            "POST",
            "transfers",
            {
                "acctNo": custody_account_no,
                "amt": wire_amount(amount_fen),
                "payerAcct": account_no,
                "payerName": account_name,
                "remark": remark,
            },
        )
        return Line.model_validate(booked).as_bank_line()

    async def plant_line(
        self,
        *,
        custody_account_no: str,
        amount_fen: int,
        kind: LineKind = "ADJUSTMENT",
        request_no: str = "",
        account_no: str = "",
        account_name: str = "",
        remark: str = "",
        bank_serial_no: str = "",
    ) -> BankLine:
        """Book a line that nobody ordered, without a notice; credits positive.

        Args:
            account_no: the other side's, as is `account_name`.
            bank_serial_no: one that the bank uses again; empty for one of its own.
        """
        planted = await self._ask(
            "POST",
            "planted-lines",
            {
                "acctNo": custody_account_no,
                "amt": wire_amount(amount_fen),
                "kind": kind,
                "reqSeq": request_no,
                "partyAcct": account_no,
                "partyName": account_name,
                "remark": remark,
                "serialNo": bank_serial_no,
            },
        )
        return Line.model_validate(planted).as_bank_line()

    async def say(self, number: str, **fields: Any) -> None:
        """Let the bank tell something otherwise than its books have it; without fields as it is again.

        Args:
            number: our number of a payout, collection, refund, mandate or check; the bank's of a line, payment or
                settlement.
            fields: in the bank's own words and spelling, e.g. `state="ABNORMAL"` or `serialNo="1"`.
        """
        await self._ask("PUT", "sayings", {"number": number} | ({"fields": fields} if fields else {}))

    async def cut_statement_off(
        self, custody_account_no: str, day: date, *, entries: int | None = None, size: int | None = None
    ) -> None:
        """Let the bank tell of a day's statement so many entries, or so many bytes; without either all of it again."""
        cut = {name: value for name, value in (("entries", entries), ("size", size)) if value is not None}
        await self._ask("PUT", "statements", {"acctNo": custody_account_no, "day": day.isoformat(), **cut})

    async def send_notice(self, kind: str, custody_account_no: str, *, request_no: str = "") -> None:
        """Let the bank send a notice of whatever kind, about whatever number."""
        await self._ask("POST", "notices", {"kind": kind, "acctNo": custody_account_no, "reqSeq": request_no})

    async def pay(self, request_no: str, *, amount_fen: int | None = None) -> CollectionAnswer:
        """Let the payer pay a collection as its scenario has it; with an amount that much, whatever its state."""
        wanted = {"reqSeq": request_no} | ({} if amount_fen is None else {"amt": wire_amount(amount_fen)})
        return CollectionState.model_validate(await self._ask("POST", "payments", wanted)).as_answer()

    async def set_settlement(self, method: CollectionMethod, *, next_day: bool, net_of_fees: bool) -> None:
        """When payments of a method reach the custody account from now on, and whether less fees."""
        settlement = "T+1" if next_day else "T+0"
        content: dict[str, str | bool] = {"method": method.upper(), "settlement": settlement, "net": net_of_fees}
        await self._ask("POST", "settlement-terms", content)

    async def mislead_about_settlement(
        self, method: CollectionMethod, *, held: bool = False, short_fen: int = 0
    ) -> None:
        """Hold a method's settlements back past the day that was said, until that is taken back; the next is short."""
        content = {"method": method.upper(), "held": held, "short": wire_amount(short_fen)}
        await self._ask("POST", "settlement-misleading", content)

    async def settle_now(self, method: CollectionMethod | None = None) -> None:
        """Let what waits for its batch be settled at once: of one method, or of all."""
        await self._ask("POST", "settle-now", {} if method is None else {"method": method.upper()})

    async def enter_person(self, *, citizen_id: str, name: str) -> None:
        """Enter a person in the register, or change the entry."""
        await self._ask("PUT", "register/persons", {"idNo": citizen_id, "name": name})

    async def enter_company(
        self,
        *,
        credit_code: str,
        name: str,
        legal_representative_name: str,
        legal_representative_id: str,
        status: RegistrationStatus = RegistrationStatus.ACTIVE,
        registered_capital_fen: int | None = None,
        paid_in_capital_fen: int | None = None,
    ) -> None:
        """Enter a business in the register, or change the entry."""
        entry = {
            "creditCode": credit_code,
            "name": name,
            "legalRepName": legal_representative_name,
            "legalRepIdNo": legal_representative_id,
            "status": status.upper(),
        }
        if registered_capital_fen is not None:
            entry["registeredCapital"] = wire_amount(registered_capital_fen)
        if paid_in_capital_fen is not None:
            entry["paidInCapital"] = wire_amount(paid_in_capital_fen)
        await self._ask("PUT", "register/companies", entry)

    async def micro_deposit_fen(self, request_no: str) -> int:
        """Amount of a micro-deposit in fen, as its payee sees it at the bank that got it."""
        for deposit in await self._ask("GET", "micro-deposits"):
            if deposit["reqSeq"] == request_no:
                return yuan(deposit["amt"])
        raise Refused("sandbox_refused", f"The bank sandbox sent no micro-deposit {request_no}.")

    async def return_micro_deposit(self, request_no: str) -> None:
        """Let the payee's bank give a micro-deposit back now."""
        await self._ask("POST", "micro-deposits/return", {"reqSeq": request_no})

    async def sms_outbox(self) -> Sequence[SentSms]:
        """All text messages sent, oldest first."""
        return TypeAdapter(list[SentSms]).validate_python(await self._ask("GET", "sms"))

    async def payouts(self) -> Sequence[Mapping[str, Any]]:
        """All payouts in the bank's own words: `reqSeq`, `channel`, `amt`, `state`, `reasonCode`, `scenario` …"""
        found: Sequence[Mapping[str, Any]] = await self._ask("GET", "payouts")
        return found

    async def clock(self, custody_account_no: str) -> datetime:
        """A custody account's time."""
        return (await self.outlook(custody_account_no)).now

    async def outlook(self, custody_account_no: str) -> Outlook:
        """A custody account's time, and what is still to happen at the bank by itself."""
        return Outlook.model_validate(await self._ask("GET", f"clock?acctNo={quote(custody_account_no)}"))

    async def move_clock(
        self, custody_account_no: str, *, to: datetime | None = None, by: timedelta = timedelta()
    ) -> datetime:
        """Move an account's time forward and answer it: to an aware time, else by a span; never backward."""
        target = to or await self.clock(custody_account_no) + by
        wanted = {"acctNo": custody_account_no, "to": target.isoformat()}
        return datetime.fromisoformat((await self._ask("POST", "clock", wanted))["now"])

    async def move_clock_up_to(self, custody_account_no: str, moment: datetime) -> None:
        """Move an account's time forward to an aware moment, unless it is as late there by itself."""
        try:
            await self.move_clock(custody_account_no, to=moment)
        except Refused:
            if await self.clock(custody_account_no) < moment:
                raise

    async def set_rail_health(self, rail: Rail, health: Health) -> None:
        """Let a rail be down (refuses), slow, or up."""
        await self._ask("POST", "health", {"channel": CHANNEL_OF_RAIL[rail], "health": health})

    async def set_method_health(self, method: CollectionMethod, health: Health) -> None:
        """Let a collection method be down (refuses), slow, or up."""
        await self._ask("POST", "health", {"channel": method.upper(), "health": health})

    async def set_debit_channel_health(self, channel: str, health: Health) -> None:
        """Let a debit channel be down (refuses), slow, or up."""
        await self._ask("POST", "health", {"channel": channel, "health": health})

    async def set_service_health(self, service: Service, health: Health) -> None:
        """Let the registers of persons and businesses, or the UnionPay check, be down or up."""
        await self._ask("POST", "health", {"channel": service, "health": health})

    async def set_bank_health(self, health: Health) -> None:
        """Let the whole bank be down (answers 502), slow, or up."""
        await self._ask("POST", "health", {"health": health})

    async def next_suffers(self, scenario: str, target: Target = "payout") -> None:
        """Let the next request of the kind suffer a scenario; their names are in the bank's README."""
        await self._ask("POST", "next", {"scenario": scenario, "target": target})

    async def reset(self) -> None:
        """Forget waiting scenarios and make everything well; books and clocks stay."""
        await self._ask("POST", "reset", {})

    async def notices(self) -> Sequence[Mapping[str, Any]]:
        """All notices: `noticeNo`, `state` (waiting, delivered, dropped, given_up), `copies`, `attempts`, `body`."""
        found: Sequence[Mapping[str, Any]] = await self._ask("GET", "notices")
        return found

    async def replay_notice(self, notice_no: int) -> None:
        """Let the bank send a notice once more."""
        await self._ask("POST", f"notices/{notice_no}/replay")

    async def drop_notice(self, notice_no: int) -> None:
        """Let the bank never send a waiting notice."""
        await self._ask("POST", f"notices/{notice_no}/drop")

    async def send_notices_to(self, url: str) -> None:
        """Where the bank sends its notices from now on; empty keeps them waiting."""
        await self._ask("PUT", "notice-url", {"url": url})

    async def health(self) -> str:
        """`ok` when the bank runs and its books answer."""
        return str((await self._ask("GET", "health"))["status"])

    async def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        try:
            answer = await self._http.request(method, f"/sandbox/{path}", json=content)
        except httpx2.RequestError as error:
            raise BankUnreachable("sandbox_unreachable", "The bank sandbox does not answer; is it running?") from error
        if not answer.is_success:
            raise Refused("sandbox_refused", f"The bank sandbox answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()
