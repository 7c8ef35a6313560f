"""After a run with every kind of secret, none stands in any log, row, file, history or answer where it must not."""

import random
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, created
from tests.api.test_account_verifications import CONSENT, own_money
from tests.api.test_suspense_returns import ends, stranger_transfers
from tests.channels.numbers import card_of, citizen_id, credit_code
from tests.pages import searching
from tests.pages.member import PASSWORD, Visitor, ask_acceptance, config, newest_code, set_password
from tests.pages.searching import CANARIES, CANARY, CANARY_CODE, CANARY_FEN, Medium, Place, Secret
from tests.servers import making_platforms, running_stack
from tests.waiting import until

OWNER, COMPANY, DELEGATE, STRANGER = "郑持卡", "安心装饰有限公司", "钱代办", "某人"
WRONG_PASSWORD = "wrong-Zq4-one"
#: The bank's statement and the entry that books it tell what a micro-deposit took: they are the books.
BOOKS = ("bank_line.amount_fen", "entry_line.amount_fen")

_digits = random.Random()


@pytest_asyncio.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """A stack on which nothing but this run has left anything."""
    async with running_stack() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def platforms(stack: Stack) -> AsyncIterator[PlatformMaker]:
    async with making_platforms(stack) as maker:
        yield maker


def digits(count: int) -> str:
    return "".join(_digits.choice("123456789") for _ in range(count))


def sequence() -> str:
    """Digits 15 to 17 of an ID number that the bank's register has no rule for."""
    return str(_digits.randint(100, 899))


class Run:
    """One platform on which every secret is used, and a list of what was used."""

    def __init__(self, platform: Platform, visitor: Visitor) -> None:
        self.platform = platform
        self.visitor = visitor
        self.secrets: list[Secret] = []
        self.answers: list[httpx2.Response] = []
        platform.http.event_hooks["response"].append(self._keep)

    async def _keep(self, answer: httpx2.Response) -> None:
        await answer.aread()
        self.answers.append(answer)

    def long(self, what: str, text: str, **where: Any) -> str:
        self.secrets.append(searching.long_secret(what, text, **where))
        return text

    def code(self, what: str, text: str) -> str:
        self.secrets.append(searching.code(what, text))
        return text

    def name(self, text: str) -> str:
        """A name, which the platform tells and is told again."""
        return self.long(f"name {text}", text, media=set(Medium) - {Medium.ANSWERS})

    def wrong(self, right: str) -> str:
        """A wrong code, which is as secret as a right one: it may be right somewhere else."""
        return self.code("wrong code", f"{(int(right) + 12_347) % 1_000_000:06}")

    async def refused(self, path: str, **body: Any) -> None:
        answer = await self.platform.post(path, **body)
        assert answer.status_code in (409, 422), answer.text

    # ---- members ----

    async def members(self) -> None:
        """Two members whose identity is checked, with cards and an account; mistyped numbers are refused before."""
        platform = self.platform
        self.mobile = self.long("owner's mobile", "138" + digits(8))
        opening = {"kind": "person", "name": self.name(OWNER)}
        await self.refused(
            "/members", member_no="O-1", **opening, mobile=self.long("mistyped mobile", "128" + digits(9))
        )
        await created(platform.post("/members", member_no="O-1", **opening, mobile=self.mobile))
        id_no = self.long("owner's ID number", citizen_id(sequence(), born=f"19{_digits.randint(60, 89)}0414"))
        mistyped = self.long("mistyped ID number", id_no[:-1] + ("7" if id_no[-1] != "7" else "8"))
        await self.refused("/members/O-1/identity-checks", request_no="IC-0", id_no=mistyped, consent=CONSENT)
        await self.checked("O-1", id_no=id_no)
        self.cards = [self.long(f"card {prefix}", card_of(prefix, digits(6))) for prefix in ("622202", "622588")]
        binding = {"account_name": OWNER, "is_corporate": False, "cnaps_code": "102100099996"}
        mistyped = self.long("mistyped card", self.cards[0][:-1] + str((int(self.cards[0][-1]) + 1) % 10))
        await self.refused("/members/O-1/bank-accounts", account_id="A-0", account_no=mistyped, **binding)
        for number, card in enumerate(self.cards, start=1):
            path = "/members/O-1/bank-accounts"
            await created(platform.post(path, account_id=f"A-{number}", account_no=card, **binding))

        opening = {"kind": "company", "name": self.name(COMPANY), "mobile": self.long("mobile", "139" + digits(8))}
        await created(platform.post("/members", member_no="C-1", **opening))
        await self.checked(
            "C-1",
            id_no=self.long("credit code", credit_code(f"{_digits.randint(10, 89)}")),
            legal_representative={
                "name": "孙法人",
                "id_no": self.long("representative's ID number", citizen_id(sequence(), born="19710305")),
            },
            agent={
                "name": self.name(DELEGATE),
                "id_no": self.long("agent's ID number", citizen_id(sequence(), born="19920621")),
                "mobile": self.long("agent's mobile", "137" + digits(8)),
            },
        )
        account: dict[str, Any] = {
            "account_no": self.long("company's account", "7559" + digits(14)),
            "account_name": COMPANY,
        }
        account |= {"is_corporate": True, "cnaps_code": "102100099996"}
        await created(platform.post("/members/C-1/bank-accounts", account_id="A-C-1", **account))

    async def checked(self, member_no: str, **subject: Any) -> None:
        path = f"/members/{member_no}/identity-checks"
        await created(self.platform.post(path, request_no=f"IC-{member_no}", **subject, consent=CONSENT))

        async def verified() -> bool:
            return bool((await self.platform.get(f"/members/{member_no}")).json()["status"] == "verified")

        await until(verified, "it is verified")

    # ---- accounts ----

    async def verifications(self) -> None:
        """One card by UnionPay check, the other by micro-deposit; a wrong try before the right one."""
        platform, verify = self.platform, "/members/O-1/bank-accounts/A-1/verify"
        begun = await created(
            platform.post(f"{verify}/unionpay", request_no="V-1", consent=CONSENT, mobile=self.mobile)
        )
        assert begun["status"] == "sent", begun
        right = self.code("UnionPay code", await newest_code(platform.bank, self.mobile))
        await self.typed(f"{verify}/V-1/confirm-code", right)

        verify = "/members/O-1/bank-accounts/A-2/verify"
        await own_money(platform)
        own = await platform.registry.bank_accounts.get(platform.number, "", "OWN-1")
        self.long("platform's own account", own.account_no)
        await created(platform.post(f"{verify}/micro-deposit", request_no="V-2", consent=CONSENT))
        bank_request_no = f"{platform.number}/V-2:micro_deposit:1"
        amount_fen = await platform.bank.micro_deposit_fen(bank_request_no)
        [text] = [sms.text for sms in await platform.bank.sms_outbox() if sms.req_seq.startswith(bank_request_no)]
        reference = self.code("reference", text.split("鉴权序号")[1][:5])
        wrong_fen = amount_fen % 50 + 1
        for what, fen in (("micro-deposit", amount_fen), ("wrong micro-deposit", wrong_fen)):
            self.secrets.append(searching.small_amount(what, fen, books=BOOKS))
        for number, fen in enumerate((wrong_fen, amount_fen)):
            answer = await platform.post(
                f"{verify}/V-2/confirm-amount", request_no=f"TA-{number}", amount_fen=fen, reference=reference
            )
        assert answer.json()["verification"]["status"] == "verified", answer.text

    async def typed(self, path: str, right: str) -> None:
        """A code that is none, a wrong one and the right one, relayed by the platform."""
        none = self.code("malformed code", f"{right[:-1]}x")
        await self.refused(path, request_no="TC-0", code=none)
        for number, code in enumerate((self.wrong(right), right), start=1):
            answer = await self.platform.post(path, request_no=f"TC-{number}-{path.split('/')[-2]}", code=code)
            assert answer.json()["outcome"] == ("wrong", "accepted")[number - 1], answer.text

    # ---- money ----

    async def collections(self) -> None:
        """A quick payment with a code, a debit under a mandate, a transfer, and a stranger's that is sent back."""
        platform = self.platform
        top_up = {"member_no": "O-1", "amount_fen": 41_100}
        await created(platform.post("/top-ups", top_up_no="T-1", method="quick", account_id="A-1", **top_up))
        code = self.code("quick payment's code", await newest_code(platform.bank, self.mobile))
        await self.typed("/top-ups/T-1/confirm", code)
        mandate = {"account_id": "A-1", "per_debit_fen": 50_000, "per_day_fen": 90_000, "last_day": "2099-12-31"}
        await created(platform.post("/members/O-1/mandates", mandate_no="M-1", **mandate))
        debit = {"top_up_no": "T-2", "method": "direct_debit", "mandate_no": "M-1"}
        await created(platform.post("/top-ups", **debit, **top_up))
        planted = f"{CANARY}-{CANARY_CODE}"
        wallet = {"member_no": "O-1", "method": "qr_wechat", "amount_fen": CANARY_FEN}
        await created(platform.post("/top-ups", top_up_no=planted, **wallet))
        await platform.bank.pay(f"{platform.number}/{planted}:collect:1")
        await platform.top_up(self.cards[0], PRICE_FEN)
        credit_no = await stranger_transfers(platform, card=self.long("stranger's card", card_of("621700", digits(6))))
        self.name(STRANGER)
        await created(platform.post(f"/suspense/{credit_no}/returns", return_no="SR-1", amount_fen=4_000))
        await ends(platform, "SR-1", "paid")

    async def order(self) -> None:
        """An order paid by a relayed code and accepted by password on the page; a large withdrawal."""
        platform, visitor = self.platform, self.visitor
        await set_password(platform, visitor, mobile=self.mobile)
        self.code("password's code", await newest_code(platform.bank, self.mobile))
        for what, password in (("password", PASSWORD), ("wrong password", WRONG_PASSWORD)):
            self.long(what, password)
        await platform.open_order()
        asked = (await platform.post("/orders/D-1001/pay", request_no="R-pay", by="O-1")).json()["authorization"]
        path = f"/authorizations/{asked['authorization_id']}"
        assert (await platform.post(f"{path}/sms-codes", request_no="S-1")).status_code == 200
        right = self.code("authorisation's code", await newest_code(platform.bank, self.mobile))
        await self.refused(f"{path}/confirm", code=self.wrong(right))
        assert (await platform.post(f"{path}/confirm", code=right)).json()["status"] == "done"
        await platform.command("D-1001/start", "R-start", "C-1")
        await platform.command("D-1001/milestones/2/complete", "R-complete", "C-1")
        url = (await ask_acceptance(platform))["url"]
        await visitor.fill_in(url, action="confirm", password=WRONG_PASSWORD)
        assert "已完成" in (await visitor.fill_in(url, action="confirm", password=PASSWORD)).text
        # The platform sends its member there; we keep a digest of what nobody can guess.
        token, meant_for = url.rsplit("/", 1)[-1], {"page_link.token_sha256"}
        self.long("link's token", token, media=set(Medium) - {Medium.ANSWERS}, meant_for=meant_for)
        await platform.top_up(self.cards[0], 6_000_000)
        withdrawal = {"withdrawal_no": "W-1", "member_no": "O-1", "account_id": "A-1", "principal_fen": 6_000_000}
        await created(platform.post("/withdrawals", **withdrawal))
        await ends(platform, "W-1", "paid")

    async def looks(self) -> None:
        """All that the platform can read."""
        for path in (
            "/members", "/members/O-1", "/members/C-1", "/members/O-1/bank-accounts", "/members/O-1/bank-accounts/A-2",
            "/members/O-1/identity-checks", "/members/C-1/identity-checks", "/members/O-1/mandates", "/orders/D-1001",
            "/members/O-1/bank-accounts/A-1/verify/V-1", "/members/O-1/bank-accounts/A-2/verify/V-2", "/top-ups",
            "/withdrawals", "/withdrawals/SR-1", "/suspense", "/accounts", "/platform", "/accounts/suspense/history",
            f"/members/{CANARY}",
        ):  # fmt: skip
            await self.platform.get(path)
        await self.platform.get("/events", limit=200)
        await self.platform.get("/statements", member_no="O-1", first_day="2020-01-01", last_day="2099-12-31")


def test_the_number_of_an_attempt_is_not_taken_for_an_amount() -> None:
    numbered = Place(Medium.ROWS, "numbered", b"request_no: P1/V-2:micro_deposit:1")
    told = [
        Place(Medium.ROWS, f"told {number}", text)
        for number, text in enumerate(
            (b"micro_deposit: 1", b'"deposit_fen":1', b"P1/V-2:micro_deposit:1 amount=1", b"0.01 yuan")
        )
    ]
    one_fen = searching.small_amount("one fen", 1)
    assert one_fen.found_in([numbered]) == []
    assert one_fen.found_in(told) == [(place.medium, place.name) for place in told]


async def test_no_secret_of_a_whole_run_is_left_where_it_must_not_be(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    methods = {"pay": "sms_code", "accept": "payment_password"}
    run = Run(await platforms.open(config(authorisation=methods, sms_codes_by_api=True)), visitor)
    for part in (run.members, run.verifications, run.collections, run.order, run.looks):
        await part()
    try:
        await searching.plant_canaries(stack)
        places = await searching.everything(stack, [*run.answers, *visitor.answers])
    finally:
        await searching.uproot_canaries(stack)

    text, code, amount = (set(secret.found_in(places)) for secret in CANARIES)
    logs = {(Medium.LOGS, "api.log"), (Medium.LOGS, "worker-1.log")}
    histories = {(Medium.HISTORIES, planted) for planted in searching.PLANTED_WORKFLOWS}
    run_through = {(Medium.HISTORIES, f"pay_in/{run.platform.number}/{CANARY}-{CANARY_CODE}")}
    answers = {(Medium.ANSWERS, "POST /v1/top-ups")}
    for found in (text, code, amount):
        assert logs | histories | run_through | answers <= found
    rows = {(Medium.ROWS, "canary.kept"), (Medium.ROWS, "consent.consent_no")}
    assert rows | {(Medium.FILES, "temporal/canary")} <= text
    assert (Medium.ROWS, "canary.told") in code
    assert (Medium.ROWS, "canary.amount_fen") in amount

    assert len(run.secrets) > 30
    left = {secret.what: secret.found_in(places) for secret in run.secrets}
    assert {what: where for what, where in left.items() if where} == {}
