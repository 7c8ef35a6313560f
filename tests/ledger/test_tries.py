"""Passwords, codes and amounts are guessed as often as allowed, from however many connections at once."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.verification_rules import VerificationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.hosted_pages import PagePurpose
from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import transaction
from escrow.registry.members.members import MemberKind
from escrow.registry.pages.page_links import PageLink
from escrow.registry.platforms.file import PlatformFile
from escrow.registry.registry import Registry
from escrow.registry.tables import AccountVerificationRow, VerificationSendingRow
from tests.ledger.books import HOME
from tests.postgres import Database
from tests.stage import DATA_KEY, INDEX_KEY

AT_ONCE = 40
PASSWORD = "first-7!"


class Guessed(ABC):
    """Something that can be guessed: how a wrong guess is made, and how many tries the books have counted."""

    at_most: int
    #: What a wrong guess is told, and what one that is not looked at.
    told: tuple[str, ...]

    @abstractmethod
    async def is_set_up(self, registry: Registry) -> None:
        """Make what is guessed."""

    @abstractmethod
    async def guess(self, registry: Registry, number: int) -> str:
        """Make one wrong guess; what it is told, the code of a refusal."""

    @abstractmethod
    def counted(self) -> str:
        """The statement that counts."""


class Password(Guessed):
    at_most, told = 5, ("payment_password_wrong", "payment_password_locked")

    async def is_set_up(self, registry: Registry) -> None:
        hashed = await registry.payment_passwords.hashed(HOME, "O-1", PASSWORD)
        async with transaction(registry.recorder) as session:
            await registry.payment_passwords.store(session, HOME, "O-1", hashed)

    async def guess(self, registry: Registry, number: int) -> str:
        await registry.payment_passwords.verify(HOME, "O-1", f"wrong-{number}")
        return "right"

    def counted(self) -> str:
        return "SELECT attempts FROM payment_password"


class PageCode(Guessed):
    at_most, told = 5, ("sms_code_wrong", "sms_code_none")
    link: PageLink
    code: str

    async def is_set_up(self, registry: Registry) -> None:
        self.link, _ = await registry.page_links.ask(
            HOME, "PL-1", member_no="O-1", purpose=PagePurpose.SET_PASSWORD, content={}
        )
        made = await registry.sms_codes.make(self.link)
        assert made is not None
        self.code = made[1]

    async def guess(self, registry: Registry, number: int) -> str:
        await registry.sms_codes.verify(self.link, f"{(int(self.code) + 1 + number) % 1_000_000:06}")
        return "right"

    def counted(self) -> str:
        return "SELECT tries FROM sms_code"


class Asked(Guessed):
    """What the bank compares: each try is a row with the number of its request."""

    at_most = 3

    @abstractmethod
    async def types(self, registry: Registry, request_no: str, code: str) -> int:
        """Try something under a request number; the number of the try."""

    async def guess(self, registry: Registry, number: int) -> str:
        await self.types(registry, f"R-{number}", f"{number:06}")
        return "counted"

    @abstractmethod
    async def is_answered(self, registry: Registry, number: int, outcome: CodeCheck) -> None:
        """The bank says how a try compared."""

    @abstractmethod
    async def opened(self, registry: Registry, number: int) -> tuple[str, CodeCheck | None]:
        """What was typed in a try, and how it compared."""

    @abstractmethod
    async def left(self, registry: Registry) -> int:
        """How many more tries there are."""


class Verification(Asked):
    told = ("counted", "verification_tries_spent")

    async def is_set_up(self, registry: Registry) -> None:
        now = await books_now(registry.recorder, HOME)
        named = {"platform_no": HOME, "verification_no": "V-1", "account_no_index": b"1"}
        waits = {"member_no": "O-1", "account_id": "A-1", "method": VerificationMethod.UNIONPAY, "mobile_sealed": b""}
        sending = {"number": 1, "request_no": "V-1", "bank_request_no": "HOME/V-1:unionpay:1", "status": "sent"}
        async with transaction(registry.recorder) as session:
            session.add(
                AccountVerificationRow.model_validate(
                    named | waits | {"status": "sent", "reason": "", "asked_at": now, "expires_at": now}
                )
            )
            session.add(VerificationSendingRow.model_validate(named | sending | {"opened_at": now}))

    async def types(self, registry: Registry, request_no: str, code: str) -> int:
        return await registry.verification_tries.count(HOME, "V-1", request_no, code=code)

    async def is_answered(self, registry: Registry, number: int, outcome: CodeCheck) -> None:
        await registry.verification_tries.answered(HOME, "V-1", number, outcome)

    async def opened(self, registry: Registry, number: int) -> tuple[str, CodeCheck | None]:
        typed = await registry.verification_tries.typed(HOME, "V-1", number)
        return typed.code, typed.outcome

    async def left(self, registry: Registry) -> int:
        return await registry.verification_tries.left(HOME, "V-1")

    def counted(self) -> str:
        return "SELECT count(*) FROM verification_try"


class PayersCode(Asked):
    told = ("counted", "code_tries_spent")

    async def is_set_up(self, registry: Registry) -> None:
        pass

    async def types(self, registry: Registry, request_no: str, code: str) -> int:
        return await registry.collection_codes.count_try(HOME, "T-1", request_no, code, is_awaited=True)

    async def is_answered(self, registry: Registry, number: int, outcome: CodeCheck) -> None:
        await registry.collection_codes.answered(HOME, "T-1", number, outcome)

    async def opened(self, registry: Registry, number: int) -> tuple[str, CodeCheck | None]:
        typed = await registry.collection_codes.tries.typed(HOME, "T-1", number)
        return typed.text, typed.outcome

    async def left(self, registry: Registry) -> int:
        return await registry.collection_codes.tries.left(HOME, "T-1")

    def counted(self) -> str:
        return "SELECT count(*) FROM pay_in_code_try"


@asynccontextmanager
async def another(database: Database) -> AsyncIterator[Registry]:
    """A registry over connections of its own, as another process has one."""
    recorder = Recorder(database.dsn)
    yield Registry(recorder, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))
    await recorder.close()


@pytest_asyncio.fixture
async def registries(database: Database) -> AsyncIterator[tuple[Registry, Registry]]:
    """Two registries on the same books, with an open platform and an owner."""
    async with another(database) as first, another(database) as second:
        file = PlatformFile(platform_no=HOME, name="好家装修平台", config=PlatformConfig())
        await first.open_platform(file, custody_account_no="755900000001")
        await first.members.open(HOME, member_no="O-1", kind=MemberKind.PERSON, name="王小明", mobile="13800000001")
        yield first, second


async def told(guess: Any) -> str:
    """What a guess is told: its answer, or the code of the refusal."""
    try:
        return str(await guess)
    except Refused as refusal:
        return refusal.code


def _named(guessed: Guessed) -> str:
    return type(guessed).__name__


@pytest.mark.parametrize("guessed", [Password(), PageCode(), Verification(), PayersCode()], ids=_named)
async def test_forty_wrong_ones_at_once_from_two_processes_are_counted_as_often_as_allowed(
    registries: tuple[Registry, Registry], owner: asyncpg.Connection, guessed: Guessed
) -> None:
    await guessed.is_set_up(registries[0])

    answers = Counter(
        await asyncio.gather(*(told(guessed.guess(registries[number % 2], number)) for number in range(AT_ONCE)))
    )

    assert await owner.fetchval(guessed.counted()) == guessed.at_most
    wrong, refused = guessed.told
    locks = wrong == "payment_password_wrong"  # the last one that is looked at is told of the lock
    assert answers == {wrong: guessed.at_most - locks, refused: AT_ONCE - guessed.at_most + locks}
    assert await told(guessed.guess(registries[1], AT_ONCE)) == refused
    assert await owner.fetchval(guessed.counted()) == guessed.at_most


@pytest.mark.parametrize("asked", [Verification(), PayersCode()], ids=_named)
async def test_a_request_that_comes_forty_times_at_once_is_one_try(
    registries: tuple[Registry, Registry], owner: asyncpg.Connection, asked: Asked
) -> None:
    await asked.is_set_up(registries[0])

    numbers = await asyncio.gather(*(asked.types(registries[n % 2], "R-1", "111111") for n in range(AT_ONCE)))

    assert set(numbers) == {1}
    assert await owner.fetchval(asked.counted()) == 1
    assert await asked.left(registries[1]) == 2


@pytest.mark.parametrize("asked", [Verification(), PayersCode()], ids=_named)
async def test_a_request_is_answered_as_before_when_all_tries_are_spent_and_is_not_used_for_another_code(
    registries: tuple[Registry, Registry], owner: asyncpg.Connection, asked: Asked
) -> None:
    first, second = registries
    await asked.is_set_up(first)
    assert [await asked.types(first, f"R-{number}", f"{number:06}") for number in range(3)] == [1, 2, 3]

    assert await told(asked.types(first, "R-3", "000003")) == asked.told[1]
    assert await asked.types(second, "R-1", "000001") == 2
    assert await told(asked.types(second, "R-1", "000002")) == "request_no_reused"
    assert await owner.fetchval(asked.counted()) == 3


@pytest.mark.parametrize("asked", [Verification(), PayersCode()], ids=_named)
async def test_a_code_that_had_expired_gives_its_try_back_and_is_answered_once(
    registries: tuple[Registry, Registry], asked: Asked
) -> None:
    first, second = registries
    await asked.is_set_up(first)
    for number in range(3):
        await asked.types(first, f"R-{number}", f"{number:06}")
    assert await asked.left(first) == 0

    await asked.is_answered(first, 2, CodeCheck.EXPIRED)
    await asked.is_answered(second, 2, CodeCheck.WRONG)  # too late to say something else

    assert await asked.left(second) == 1
    assert await asked.types(second, "R-3", "000003") == 4
    assert await told(asked.types(second, "R-4", "000004")) == asked.told[1]


@pytest.mark.parametrize(
    ("asked", "table", "text", "kept_as"),
    [
        (
            Verification(),
            "verification_try (verification_no, bank_request_no",
            '{"amount_fen": 0, "reference": "", "code": "111111"}',
            ("account_verification/V-1", "verification_try/V-1"),
        ),
        (PayersCode(), "pay_in_code_try (pay_in_no", "111111", ("pay_in/T-1", "pay_in_code_try/T-1")),
    ],
    ids=["Verification", "PayersCode"],
)
async def test_tries_that_earlier_versions_stored_are_counted_known_and_opened(
    registries: tuple[Registry, Registry],
    owner: asyncpg.Connection,
    asked: Asked,
    table: str,
    text: str,
    kept_as: tuple[str, str],
) -> None:
    await asked.is_set_up(registries[0])
    box = PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY)
    object_no = kept_as[0].rpartition("/")[2]
    named = [object_no, "HOME/V-1:unionpay:1"][: table.count(",") + 1]
    await owner.execute(
        f"INSERT INTO {table}, typed_sealed, typed_digest, number, request_no, outcome, tried_at, platform_no)"
        f" VALUES ({', '.join(f'${n + 3}' for n in range(len(named)))}, $1, $2, 1, 'R-1', 'wrong', now(), 'HOME')",
        box.seal(text, place=f"HOME/{kept_as[0]}/try/1"),
        box.blind_index(text, field=f"HOME/{kept_as[1]}"),
        *named,
    )

    assert await asked.left(registries[0]) == 2
    assert await asked.types(registries[0], "R-1", "111111") == 1
    assert await told(asked.types(registries[0], "R-1", "222222")) == "request_no_reused"
    assert await asked.types(registries[0], "R-2", "222222") == 2
    assert [await asked.opened(registries[1], number) for number in (1, 2)] == [
        ("111111", CodeCheck.WRONG),
        ("222222", None),
    ]


async def test_a_password_that_is_found_right_forgets_wrong_ones(
    registries: tuple[Registry, Registry], owner: asyncpg.Connection
) -> None:
    first, second = registries
    guessed = Password()
    await guessed.is_set_up(first)
    for number in range(4):
        assert await told(guessed.guess(first, number)) == "payment_password_wrong"
    await second.payment_passwords.verify(HOME, "O-1", PASSWORD)  # the fifth: counted and locked until found right
    [kept] = await owner.fetch("SELECT attempts, locked_until FROM payment_password")
    assert tuple(kept) == (0, None)
    assert await told(second.payment_passwords.verify(HOME, "O-2", PASSWORD)) == "payment_password_not_set"


async def test_a_lock_is_told_once_and_ends_after_its_time(
    registries: tuple[Registry, Registry], owner: asyncpg.Connection
) -> None:
    guessed, (first, second) = Password(), registries
    await guessed.is_set_up(first)
    answers = [await told(guessed.guess(first, number)) for number in range(6)]
    assert answers == ["payment_password_wrong"] * 4 + ["payment_password_locked"] * 2
    assert await told(second.payment_passwords.verify(HOME, "O-1", PASSWORD)) == "payment_password_locked"
    body = "SELECT body::text FROM event WHERE event_type = 'member.payment_password_locked'"
    [event] = await owner.fetch(body)
    until = await owner.fetchval("SELECT locked_until FROM payment_password")
    assert until.isoformat() in event["body"]
    assert timedelta(hours=23) < until - await books_now(first.recorder, HOME) <= timedelta(hours=24)

    await owner.execute("UPDATE payment_password SET locked_until = books_now($1)", HOME)
    with pytest.raises(Refused) as wrong:
        await second.payment_passwords.verify(HOME, "O-1", "wrong-again")
    assert (wrong.value.code, wrong.value.details) == ("payment_password_wrong", {"tries_left": 4})


async def test_the_right_code_of_a_page_is_one_of_its_tries_and_an_expired_one_is_not_looked_at(
    registries: tuple[Registry, Registry], owner: asyncpg.Connection
) -> None:
    guessed, (first, second) = PageCode(), registries
    await guessed.is_set_up(first)
    await first.sms_codes.verify(guessed.link, guessed.code)
    with pytest.raises(Refused) as wrong:
        await second.sms_codes.verify(guessed.link, f"{(int(guessed.code) + 1) % 1_000_000:06}")
    assert (wrong.value.code, wrong.value.details) == ("sms_code_wrong", {"tries_left": 3})

    await owner.execute("UPDATE sms_code SET expires_at = books_now($1)", HOME)
    assert await told(second.sms_codes.verify(guessed.link, guessed.code)) == "sms_code_none"
    assert await owner.fetchval(guessed.counted()) == 2
