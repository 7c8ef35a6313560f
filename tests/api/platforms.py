"""A platform of its own for each test, reached as a platform reaches it: over HTTP with its key."""

import itertools
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from escrow.registry.registry import Registry
from escrow.stack.up import Stack
from escrow.trust import trusted_authorities
from tests.api.documented import check_documented
from tests.identities import verify
from tests.waiting import PATIENCE_SECONDS, saw, until

PRICE_FEN = 18_600_000
#: Of the person who authorises the platforms' own withdrawals.
CONTACT_MOBILE = "13900000001"
_NUMBERS = itertools.count(1)
_CARD_NUMBERS = itertools.count(1)

MILESTONES = [
    {"name": "定金", "kind": "start", "share": "30%"},
    {"name": "水电验收", "kind": "acceptance", "share": "30%"},
    {"name": "竣工验收", "kind": "acceptance", "share": "35%"},
    {"name": "质保金", "kind": "warranty", "share": "5%"},
]


def card_number() -> str:
    """A UnionPay card number with a correct Luhn digit, not used before in this session."""
    stem = f"62162610{next(_CARD_NUMBERS):010d}"
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(stem)))
    return stem + str(-total % 10)


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform with its key; `http` speaks to the API in its name."""

    number: str
    custody_account_no: str
    http: httpx2.AsyncClient
    registry: Registry
    bank: SandboxSteering
    own_account_no: str

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        return await self.http.post(f"/v1{path}", json=body)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.http.get(f"/v1{path}", params=query)

    async def open_owner(self, member_no: str = "O-1", card: str | None = None) -> str:
        """Open an owner with a bound card; its number."""
        card = card or card_number()
        await created(self.post("/members", member_no=member_no, kind="person", name="王小明", mobile="13800000001"))
        await verify(self.registry, self.number, member_no, check_no=f"IC-{member_no}")
        await created(
            self.post(
                f"/members/{member_no}/bank-accounts",
                account_id=f"A-{member_no}",
                account_no=card,
                account_name="王小明",
                is_corporate=False,
            )
        )
        return card

    async def open_contractor(self, member_no: str = "C-1") -> None:
        """Open a contractor, a company with a bound account."""
        name = "安居装饰有限公司"
        await created(self.post("/members", member_no=member_no, kind="company", name=name, mobile="13800000002"))
        await verify(self.registry, self.number, member_no)
        await created(
            self.post(
                f"/members/{member_no}/bank-accounts",
                account_id=f"A-{member_no}",
                account_no=f"7559{next(_CARD_NUMBERS):012d}",
                account_name=name,
                is_corporate=True,
                cnaps_code="102100099996",
            )
        )

    async def top_up(self, card: str, amount_fen: int, member_no: str = "O-1") -> None:
        """A transfer from the owner's card, recognised."""
        await self.bank.transfer(
            custody_account_no=self.custody_account_no, amount_fen=amount_fen, account_no=card, account_name="王小明"
        )

        async def arrived() -> bool:
            return int((await self.balances(member_no))["available_fen"]) >= amount_fen

        await until(arrived, "the money arrives")

    async def own_money_comes(self, amount_fen: int) -> None:
        """A transfer from the platform's own bank account, booked as its own money."""
        await self.bank.transfer(
            custody_account_no=self.custody_account_no,
            amount_fen=amount_fen,
            account_no=self.own_account_no,
            account_name=f"平台{self.number}",
        )

        async def arrived() -> bool:
            return await self.own_fen() >= amount_fen

        await until(arrived, "the money arrives")

    async def own_fen(self) -> int:
        """The platform's own money."""
        functional = (await self.get("/platform/sub-accounts")).json()["functional"]
        (own_fen,) = [item["balance_fen"] for item in functional if item["sub_account_no"] == "own"]
        return int(own_fen)

    async def balances(self, member_no: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.get(f"/members/{member_no}/balances")).json()
        return answer

    async def open_order(self, order_no: str = "D-1001", **changes: Any) -> dict[str, Any]:
        """Open an order between O-1 and C-1."""
        answer = await self._answered("/orders", **order_body(order_no, **changes))
        assert answer.status_code in (200, 201), answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def command(self, path: str, request_no: str, by: str) -> dict[str, Any]:
        """Give an order a command that must succeed; the answer."""
        answer = await self._answered(f"/orders/{path}", request_no=request_no, by=by)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def _answered(self, path: str, **body: Any) -> httpx2.Response:
        """What a call is answered in the end: on a slow machine it is told to repeat the same request."""

        async def answered() -> httpx2.Response | None:
            told = await self.post(path, **body)
            return None if told.status_code == 503 else told

        answer: httpx2.Response = await until(answered, f"{path} is answered")
        return answer

    async def paid_order(self, order_no: str = "D-1001", **changes: Any) -> None:
        """Members, money and an order that is paid."""
        card = await self.open_owner()
        await self.open_contractor()
        await self.top_up(card, PRICE_FEN)
        await self.open_order(order_no, **changes)
        await self.command(f"{order_no}/pay", f"{order_no}-pay", "O-1")


def order_body(order_no: str = "D-1001", **changes: Any) -> dict[str, Any]:
    """What a platform sends to open an order."""
    return {
        "order_no": order_no,
        "owner_no": "O-1",
        "contractor_no": "C-1",
        "total_fen": PRICE_FEN,
        "milestones": MILESTONES,
        **changes,
    }


async def created(call: Awaitable[httpx2.Response]) -> dict[str, Any]:
    """The body of an answer that must be 201."""
    answer = await call
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def note_answer(response: httpx2.Response) -> None:
    """Whoever waits in vain shows what the API answered last."""
    await response.aread()
    saw(f"{response.request.method} {response.request.url.path}: {response.status_code} {response.text}")


class PlatformMaker:
    """Opens platforms on a running stack.

    Args:
        begins_at: the moment that all clocks of a platform show at first, unless it is opened at another.
    """

    def __init__(self, stack: Stack, begins_at: datetime) -> None:
        self._api_url = stack.api_url
        self._begins_at = begins_at
        self._recorder = Recorder(stack.postgres.dsn)
        box = PersonalDataBox.from_hex(
            data_key=stack.environment["ESCROW_DATA_KEY"], index_key=stack.environment["ESCROW_INDEX_KEY"]
        )
        self._registry = Registry(self._recorder, box)
        self._bank = SandboxSteering(stack.bank_url)
        self._clients: list[httpx2.AsyncClient] = []

    async def open(
        self,
        config: PlatformConfig | None = None,
        *,
        contact_mobile: str | None = CONTACT_MOBILE,
        begins_at: datetime | None = None,
    ) -> Platform:
        """A fresh platform with a custody account at the bank, an own bank account and a key."""
        number = f"P{next(_NUMBERS)}"
        own_account_no = f"7558{next(_CARD_NUMBERS):012d}"
        begin_at = begins_at or self._begins_at
        custody_account_no = await self._bank.open_custody_account(
            reference=number, title=f"平台{number}", start_at=begin_at
        )
        await self._registry.open_platform(
            PlatformFile(
                platform_no=number,
                name=f"平台{number}",
                contact_mobile=contact_mobile,
                own_bank_account=OwnBankAccount(
                    account_id="OWN-1", account_no=own_account_no, cnaps_code="102100099996"
                ),
                config=config or PlatformConfig(top_up_settlement=Settlement.T_PLUS_0),
            ),
            custody_account_no=custody_account_no,
            begin_at=begin_at,
        )
        key = (await self._registry.platforms.issue_key(number)).key
        client = httpx2.AsyncClient(
            base_url=self._api_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE_SECONDS,
            verify=trusted_authorities(),
            trust_env=False,
            event_hooks={"response": [check_documented, note_answer]},
        )
        self._clients.append(client)
        return Platform(number, custody_account_no, client, self._registry, self._bank, own_account_no)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()
        await self._bank.aclose()
        await self._recorder.close()
