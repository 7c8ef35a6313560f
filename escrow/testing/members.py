"""Members over HTTP: opened under a name that the register knows, with an account of their own, able to authorise."""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.testing import calls
from escrow.testing.answers import Answer, Balances, Member, Sms
from escrow.testing.connection import AwaitsMember, Connection
from escrow.testing.numbers import Numbers
from escrow.testing.pages import HostedPages, PageRefused
from escrow.testing.waiting import DidNotHappen, until

MemberKind = Literal["person", "sole_trader", "company"]
AnswerType = TypeVar("AnswerType", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformUnderTest:
    """A platform that was opened for one test, and how to reach it.

    Args:
        contact_mobile: of who authorises the platform's own withdrawals.
        own_account_no: the platform's own bank account.
        begins_at: what its clocks showed when it was opened.
    """

    platform_no: str
    name: str
    key: str
    custody_account_no: str
    contact_mobile: str
    own_account_no: str
    begins_at: datetime
    api_url: str
    bank_url: str


_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
_CONSENT = {"text_version": "testing-1", "address": "127.0.0.1"}
_NAMES: dict[MemberKind, str] = {"person": "王小明", "sole_trader": "王小明水电装修店", "company": "精工装饰有限公司"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member and what only it knows; numbers are made up.

    Args:
        password: payment password that it sets and authorises with.
        representative: name and citizen ID number of who stands for a business; empty for a person.
    """

    member_no: str
    kind: MemberKind
    name: str
    mobile: str
    id_no: str
    account_no: str
    cnaps_code: str
    representative: tuple[str, str] | tuple[()] = ()
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)

    @property
    def account_id(self) -> str:
        """Number of its bank account here."""
        return f"A-{self.member_no}"


class MemberCalls:
    """The part of the client that is about members.

    Args:
        platform: whose server and members these are.
        numbers: where made-up numbers come from.
        authorises: whether members, and the platform's contact person, go to the hosted page when a call waits for
            them; else the call raises `AwaitsMember`.
    """

    def __init__(self, platform: PlatformUnderTest, *, numbers: Numbers | None = None, authorises: bool = True) -> None:
        self.platform = platform
        self.connection = Connection(platform.api_url, platform.key)
        self.bank = SandboxSteering(platform.bank_url)
        self.numbers = numbers or Numbers(platform.platform_no)
        self.authorises = authorises
        self.people: dict[str, Person] = {}
        self._counter = itertools.count(1)

    async def open_member(
        self,
        member_no: str,
        *,
        kind: MemberKind = "person",
        name: str | None = None,
        bank: str = "ICBC",
        identity: bool = True,
        account: bool = True,
        card_checked: bool = False,
    ) -> Person:
        """Open a member, have its identity checked, bind a bank account.

        Args:
            bank: at which it has its account: one of `escrow.testing.numbers.BANKS`.
            identity: whether its identity is checked.
            account: whether an account is bound: a person's card, else a company's account.
            card_checked: whether UnionPay also checks whose card it is; not for companies.
        """
        person = self._made_up(member_no, kind, name or _NAMES[kind], bank)
        self.people[member_no] = person
        opening = {"member_no": member_no, "kind": kind, "name": person.name, "mobile": person.mobile}
        await self.connection.call(calls.OPEN_MEMBER, opening)
        if identity:
            await self.check_identity(member_no)
        if account:
            await self.bind_account(member_no)
        if card_checked:
            await self.check_card(member_no)
        return person

    async def member(self, member_no: str) -> Member:
        """A member as the API has it."""
        return await self.connection.call(calls.GET_MEMBER, at={"member_no": member_no})

    async def check_identity(self, member_no: str) -> str:
        """Ask the register about a member; the check's status: `verified`, `refused` …"""
        person = self.people[member_no]
        question = {"request_no": self.connection.next_request_no(), "id_no": person.id_no, "consent": _CONSENT}
        if person.representative:
            name, id_no = person.representative
            question["legal_representative"] = {"name": name, "id_no": id_no}
        asked = await self.connection.call(calls.CHECK_IDENTITY, question, at={"member_no": member_no})
        at = {"member_no": member_no, "check_no": asked.request_no}
        answered = await until(
            lambda: self.connection.call(calls.GET_IDENTITY_CHECK, at=at),
            lambda check: check.status != "asked",
            f"the register answers about {member_no}",
        )
        return answered.status

    async def bind_account(self, member_no: str) -> None:
        """Bind the member's bank account, its default one."""
        person = self.people[member_no]
        binding = {
            "account_id": person.account_id,
            "account_no": person.account_no,
            "account_name": person.name,
            "is_corporate": person.kind == "company",
            "cnaps_code": person.cnaps_code,
        }
        await self._authorised(
            member_no, lambda: self.connection.call(calls.BIND_ACCOUNT, binding, at={"member_no": member_no})
        )

    async def check_card(self, member_no: str) -> None:
        """UnionPay checks whose card it is: the code that its bank sends to the member is typed.

        Raises:
            DidNotHappen: the check did not succeed; with the reason.
        """
        person = self.people[member_no]
        at = {"member_no": member_no, "account_id": person.account_id}
        wish = {"request_no": self.connection.next_request_no(), "mobile": person.mobile, "consent": _CONSENT}
        check = await self.connection.call(calls.CHECK_CARD, wish, at=at)
        if check.status != "sent":
            raise DidNotHappen(f"the card of {member_no} is not checked: {check}")
        typed = {"request_no": self.connection.next_request_no(), "code": await self.newest_code(person.mobile)}
        await self.connection.call(calls.TYPE_CODE, typed, at={**at, "verification_no": check.request_no})
        bound = await self.connection.call(calls.GET_ACCOUNT, at=at)
        if bound.verification != "unionpay":
            raise DidNotHappen(f"the card of {member_no} was not verified: {bound}")

    async def set_payment_password(self, member_no: str) -> None:
        """The member sets its payment password on the hosted page."""
        person = self.people[member_no]
        wish = {"request_no": self.connection.next_request_no(), "purpose": "set"}
        link = await self.connection.call(calls.LINK_TO_PASSWORD, wish, at={"member_no": member_no})
        if link.url is None:
            raise DidNotHappen(f"a payment password of {member_no}: the link is {link.status} already")
        async with self._pages(person.mobile) as pages:
            await pages.set_password(link.url, person.password)

    async def balances(self, member_no: str) -> Balances:
        """What the member has and what can be done with it."""
        return await self.connection.call(calls.GET_BALANCES, at={"member_no": member_no})

    async def sms(self, mobile: str | None = None) -> list[Sms]:
        """What text messages of this platform's affairs said, oldest first; with a mobile, those sent to it."""
        sent = (await self.connection.call(calls.LIST_SMS)).items
        return [text for text in sent if mobile in (None, text.mobile)]

    async def newest_code(self, mobile: str) -> str:
        """The code in the newest text message to a mobile that has one.

        Raises:
            DidNotHappen: none came.
        """

        async def codes() -> list[str]:
            return [found[0] for text in await self.sms(mobile) if (found := _CODE.search(text.text))]

        return (await until(codes, bool, f"an SMS with a code to {mobile[:3]}****{mobile[-4:]}"))[-1]

    async def _authorised(self, member_no: str | None, call: Callable[[], Awaitable[AnswerType]]) -> AnswerType:
        """Make a call that may wait for its member, have it authorised on the page, and make it again."""
        try:
            return await call()
        except AwaitsMember as waits:
            authorization = waits.authorization
            if not self.authorises or authorization.url is None:
                raise
        person = self.people.get(member_no or "")
        async with self._pages(person.mobile if person else self.platform.contact_mobile) as pages:
            if person is not None and authorization.method == "payment_password":
                await pages.authorise_by_password(authorization.url, person.password)
            else:
                await pages.authorise_by_code(authorization.url)
        at = {"authorization_id": authorization.authorization_id}
        given = await until(
            lambda: self.connection.call(calls.GET_AUTHORIZATION, at=at),
            lambda now: now.status != "pending",
            f"{member_no or 'the contact person'} authorises on the page",
        )
        if given.status in ("declined", "expired"):
            raise PageRefused(f"the authorisation is {given.status}")
        return await call()

    def _pages(self, mobile: str) -> HostedPages:
        return HostedPages(lambda: self.newest_code(mobile))

    def _made_up(self, member_no: str, kind: MemberKind, name: str, bank: str) -> Person:
        numbers = self.numbers
        business = kind != "person"
        return Person(
            member_no=member_no,
            kind=kind,
            name=name,
            mobile=numbers.mobile(),
            id_no=numbers.credit_code(sole_trader=kind == "sole_trader") if business else numbers.citizen_id(),
            account_no=numbers.account() if kind == "company" else numbers.card(bank),
            cnaps_code=numbers.cnaps_code(bank),
            representative=("李建国", numbers.citizen_id()) if business else (),
        )
