"""The registry on a real database: who may be opened and bound, what is kept of them, and how it is told."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS
from escrow.domain.platforms.access import PlatformAccess
from escrow.domain.platforms.config import PlatformConfig, SmsContact
from escrow.ledger.personal_data import PersonalDataBox, PersonalDataUnreadable
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from escrow.registry.platforms.file import PlatformFile, read_platform_file
from escrow.registry.registry import PLATFORMS_OWN, Registry
from tests.postgres import Database

CARD = "6216261000000000018"
COMPANY_ACCOUNT = "755912345678"
EXAMPLE = Path(__file__).parents[2] / "examples" / "platform.yaml"


async def open_platform(registry: Registry, platform_no: str = "HOME") -> str:
    await registry.open_platform(
        PlatformFile(platform_no=platform_no, name="好家装修平台", config=PlatformConfig()),
        custody_account_no=f"{sum(map(ord, platform_no)):012d}",
    )
    return platform_no


async def open_owner(registry: Registry, platform_no: str = "HOME", member_no: str = "O-1") -> None:
    await registry.members.open(
        platform_no, member_no=member_no, kind=MemberKind.PERSON, name="王小明", mobile="13800000001"
    )


def card(account_id: str = "A-1", account_no: str = CARD, *, make_default: bool = False) -> NewBankAccount:
    return NewBankAccount(
        account_id=account_id,
        account_no=account_no,
        account_name="王 小明",
        is_corporate=False,
        cnaps_code="102100099996",
        bank_name="工商银行",
        make_default=make_default,
    )


def other_card(number: int) -> str:
    """A card number with a correct Luhn digit."""
    stem = f"621626100000000{number:03d}"
    total = sum(sum(divmod(int(digit) * (2 - position % 2), 10)) for position, digit in enumerate(reversed(stem)))
    return stem + str(-total % 10)


async def refusal_code(awaitable: object) -> str:
    with pytest.raises(Refused) as refused:
        await awaitable  # type: ignore[misc]  # any of the registry's coroutines
    return refused.value.code


async def test_the_example_file_opens_a_platform_with_its_own_bank_account(registry: Registry) -> None:
    platform, created = await registry.open_platform(read_platform_file(EXAMPLE), custody_account_no="755900000001")
    again, created_again = await registry.open_platform(read_platform_file(EXAMPLE), custody_account_no="755900000001")
    assert (created, created_again) == (True, False)
    assert platform == again
    assert platform.config == PlatformConfig()
    assert platform.contact_mobile == "13900000001"
    own = await registry.bank_accounts.to_pay("HOME", PLATFORMS_OWN)
    assert own.account_name == platform.name
    assert await registry.platforms.of_custody_account("755900000001") == "HOME"
    assert await registry.platforms.of_custody_account("755900000002") is None


async def test_a_platform_file_names_every_wrong_field_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(
        "platform_no: HOME\n"
        "name: x\n"
        "config:\n"
        "  inspection_days: 0.5\n"
        "  comission: 3\n"
        "access:\n"
        "  leased_line:\n"
        "    client_certificates:\n"
        "      - sha256: ab:cd\n"
        "  public_internet: maybe\n"
        "name: y\n"
    )
    with pytest.raises(Refused) as refused:
        read_platform_file(path)
    assert [line.split(": ")[:2] for line in refused.value.message.splitlines()] == [
        ["platform.yaml:4", "config.inspection_days"],
        ["platform.yaml:5", "config.comission"],
        ["platform.yaml:9", "access.leased_line.client_certificates.0.sha256"],
        ["platform.yaml:10", "access.public_internet"],
        ["platform.yaml:11", "name stands twice; keep one of them"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a: [", "is not YAML"),
        ("- HOME\n", "platform.yaml:1: the file"),
        ("platform_no: HOME\nname: x\naccess:\n  public_internet: false\n", "platform.yaml:3: access: .*opens no line"),
    ],
)
async def test_a_file_that_opens_nothing_is_told_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(text)
    with pytest.raises(Refused, match=said):
        read_platform_file(path)


async def test_an_open_platform_is_not_opened_under_another_name(registry: Registry) -> None:
    await open_platform(registry)
    other = PlatformFile(platform_no="HOME", name="别的平台")
    assert await refusal_code(registry.open_platform(other, custody_account_no="1" * 12)) == "request_no_reused"


async def test_configurations_are_versions_and_the_same_one_adds_none(registry: Registry) -> None:
    await open_platform(registry)
    new = PlatformConfig(inspection_days=10, sms_contact=SmsContact.PLATFORM)
    changed, first = await registry.platforms.configure("HOME", new)
    unchanged, second = await registry.platforms.configure("HOME", new)
    assert (first, second) == (True, False)
    assert changed.config_version == unchanged.config_version == 2
    assert unchanged.config.inspection_days == 10


async def test_a_key_opens_its_platform_until_it_is_revoked(registry: Registry, database: Database) -> None:
    await open_platform(registry)
    issued = await registry.platforms.issue_key("HOME")
    assert await registry.platforms.of_key(issued.key) == "HOME"
    assert await registry.platforms.of_key(issued.key + "x") is None
    await registry.platforms.revoke_key("HOME", issued.key_id)
    await registry.platforms.revoke_key("HOME", issued.key_id)
    await asyncio.sleep(1)  # a key found good is taken for good for one second
    assert await registry.platforms.of_key(issued.key) is None
    connection = await asyncpg.connect(database.dsn)
    assert issued.key not in str(await connection.fetch("SELECT * FROM platform_key"))
    await connection.close()


async def test_a_member_is_opened_once_and_its_number_takes_no_other_content(registry: Registry) -> None:
    await open_platform(registry)
    opened = [
        (await registry.members.open("HOME", member_no="O-1", kind=MemberKind.PERSON, name="王小明", mobile=None))[1]
        for _ in range(3)
    ]
    assert opened == [True, False, False]
    other = registry.members.open("HOME", member_no="O-1", kind=MemberKind.PERSON, name="王大明", mobile=None)
    assert await refusal_code(other) == "request_no_reused"


async def test_a_member_opened_by_many_at_once_is_opened_by_one(registry: Registry) -> None:
    await open_platform(registry)
    answers = await asyncio.gather(
        *(
            registry.members.open("HOME", member_no="C-1", kind=MemberKind.COMPANY, name="安居装饰有限公司")
            for _ in range(8)
        )
    )
    assert [created for _, created in answers].count(True) == 1
    assert len({member for member, _ in answers}) == 1


async def test_nobody_is_opened_on_a_platform_that_is_not_open(registry: Registry) -> None:
    opening = registry.members.open("NOWHERE", member_no="O-1", kind=MemberKind.PERSON, name="王小明")
    assert await refusal_code(opening) == "platform_unknown"


async def test_personal_data_is_nowhere_in_the_clear(registry: Registry, database: Database) -> None:
    await open_platform(registry)
    await open_owner(registry)
    await registry.bank_accounts.bind("HOME", "O-1", card())
    connection = await asyncpg.connect(database.dsn)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    stored = "".join([str(await connection.fetch(f'SELECT t::text FROM "{table["tablename"]}" t')) for table in tables])
    await connection.close()
    assert "O-1" in stored
    for secret in ("王", "13800000001", CARD):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_a_sealed_value_does_not_open_elsewhere() -> None:
    box = PersonalDataBox.from_hex(data_key="11" * 32, index_key="22" * 32)
    sealed = box.seal("王小明", place="HOME/member/O-1/name")
    assert box.open(sealed, place="HOME/member/O-1/name") == "王小明"
    with pytest.raises(PersonalDataUnreadable):
        box.open(sealed, place="HOME/member/O-2/name")
    with pytest.raises(PersonalDataUnreadable):
        box.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), place="HOME/member/O-1/name")


async def test_a_replaced_key_still_opens_what_it_sealed() -> None:
    old = PersonalDataBox(keys={1: b"a" * 32}, current_key_id=1, index_key=b"i" * 32)
    both = PersonalDataBox(keys={1: b"a" * 32, 2: b"b" * 32}, current_key_id=2, index_key=b"i" * 32)
    sealed = old.seal("王小明", place="p")
    assert both.open(sealed, place="p") == "王小明"
    with pytest.raises(PersonalDataUnreadable):
        old.open(both.seal("王小明", place="p"), place="p")


async def test_only_accounts_under_the_members_own_name_are_bound(registry: Registry) -> None:
    await open_platform(registry)
    await registry.members.open("HOME", member_no="O-2", kind=MemberKind.PERSON, name="李雷")
    assert await refusal_code(registry.bank_accounts.bind("HOME", "O-2", card())) == "account_name_differs"


@pytest.mark.parametrize(
    ("account_no", "is_corporate", "cnaps_code", "code"),
    [
        ("6216261000000000019", False, "", "account_no_invalid"),
        ("12345678", True, "", "account_no_invalid"),
        (COMPANY_ACCOUNT, True, "102100099997", "cnaps_code_invalid"),
    ],
)
async def test_mistyped_numbers_are_refused(
    registry: Registry, account_no: str, is_corporate: bool, cnaps_code: str, code: str
) -> None:
    await open_platform(registry)
    await open_owner(registry)
    account = NewBankAccount(
        account_id="A-1",
        account_no=account_no,
        account_name="王小明",
        is_corporate=is_corporate,
        cnaps_code=cnaps_code,
    )
    assert await refusal_code(registry.bank_accounts.bind("HOME", "O-1", account)) == code


async def test_a_bank_account_belongs_to_one_member_and_is_free_again_once_unbound(registry: Registry) -> None:
    await open_platform(registry)
    await open_owner(registry)
    await open_owner(registry, member_no="O-2")
    await registry.bank_accounts.bind("HOME", "O-1", card("A-1"))
    assert await refusal_code(registry.bank_accounts.bind("HOME", "O-2", card("A-2"))) == "account_already_bound"
    await registry.bank_accounts.unbind("HOME", "O-1", "A-1")
    await registry.bank_accounts.bind("HOME", "O-2", card("A-2"))
    holder = await registry.bank_accounts.holder_of("HOME", CARD)
    assert holder is not None
    assert holder.member_no == "O-2"


async def test_the_same_account_may_be_bound_on_two_platforms(registry: Registry) -> None:
    for platform_no in ("HOME", "NEST"):
        await open_platform(registry, platform_no)
        await open_owner(registry, platform_no)
        await registry.bank_accounts.bind(platform_no, "O-1", card())
    assert (await registry.bank_accounts.get("NEST", "O-1", "A-1")).account_no == CARD


async def test_a_member_with_accounts_has_exactly_one_default(registry: Registry) -> None:
    await open_platform(registry)
    await open_owner(registry)
    await asyncio.gather(
        *(registry.bank_accounts.bind("HOME", "O-1", card(f"A-{n}", other_card(n))) for n in range(2, 7))
    )
    accounts = await registry.bank_accounts.of_member("HOME", "O-1")
    assert [account.is_default for account in accounts].count(True) == 1
    await registry.bank_accounts.bind("HOME", "O-1", card("A-9", make_default=True))
    assert (await registry.bank_accounts.to_pay("HOME", "O-1")).account_id == "A-9"
    await registry.bank_accounts.unbind("HOME", "O-1", "A-9")
    heir = await registry.bank_accounts.to_pay("HOME", "O-1")
    assert heir.account_id == accounts[0].account_id


async def test_unbinding_twice_is_unbinding_once(registry: Registry, database: Database) -> None:
    await open_platform(registry)
    await open_owner(registry)
    await registry.bank_accounts.bind("HOME", "O-1", card())
    first = await registry.bank_accounts.unbind("HOME", "O-1", "A-1")
    assert await registry.bank_accounts.unbind("HOME", "O-1", "A-1") == first
    bound_again, created = await registry.bank_accounts.bind("HOME", "O-1", card())
    assert not created
    assert not bound_again.is_bound
    assert await refusal_code(registry.bank_accounts.to_pay("HOME", "O-1")) == "account_not_bound"


async def test_every_change_of_the_registry_is_an_event_without_a_gap(registry: Registry, database: Database) -> None:
    await open_platform(registry)
    await open_owner(registry)
    await registry.bank_accounts.bind("HOME", "O-1", card("A-1", other_card(7)))
    await registry.bank_accounts.bind("HOME", "O-1", card("A-2", other_card(2), make_default=True))
    await registry.bank_accounts.unbind("HOME", "O-1", "A-2")
    await registry.platforms.configure("HOME", PlatformConfig(inspection_days=9))
    await registry.accesses.change("HOME", lambda _: PlatformAccess(public_internet=False))
    sub_accounts = sorted(item.number for item in FUNCTIONAL_SUB_ACCOUNTS)
    connection = await asyncpg.connect(database.dsn)
    events = await connection.fetch(
        "SELECT kind, object_no, event_type FROM event ORDER BY kind, object_no, sequence_no"
    )
    await connection.close()
    assert [tuple(event) for event in events] == [
        ("bank_account", "A-1", "bank_account.bound"),
        ("bank_account", "A-1", "bank_account.default_ended"),
        ("bank_account", "A-1", "bank_account.made_default"),
        ("bank_account", "A-2", "bank_account.bound"),
        ("bank_account", "A-2", "bank_account.unbound"),
        ("member", "O-1", "member.opened"),
        ("platform", "HOME", "platform.opened"),
        ("platform", "HOME", "platform.configured"),
        ("platform", "HOME", "platform.access_changed"),
        *(("sub_account", number, "sub_account.opened") for number in sub_accounts),
    ]


async def test_the_application_cannot_rewrite_personal_rows(registry: Registry, database: Database) -> None:
    await open_platform(registry)
    await open_owner(registry)
    connection = await asyncpg.connect(database.dsn, server_settings={"role": "escrow_app"})
    for statement in (
        "UPDATE member SET kind = 'company'",
        "DELETE FROM member",
        "UPDATE bank_account SET member_no = 'O-2'",
        "DELETE FROM platform_config",
        "UPDATE platform_key SET platform_no = 'NEST'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
