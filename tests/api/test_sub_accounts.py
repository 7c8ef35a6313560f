"""A platform sees its tree of sub-accounts through the API, from its first day on."""

import asyncpg

from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS
from escrow.ledger.engine import Recorder
from escrow.registry.platforms.functional_sub_accounts import opened_sub_accounts
from escrow.registry.registry import Registry
from tests.api.platforms import PRICE_FEN, Platform
from tests.api.test_registry import open_platform
from tests.postgres import Database

EVERY_ONE = ["escrow", "suspense", "fees", "interest", "top_up_in_transit", "withdrawal_in_transit", "own", "subsidy"]


async def balances_fen(platform: Platform) -> tuple[dict[str, int], dict[str, int]]:
    """What the tree shows: functional sub-accounts by number, and the sums."""
    answer = await platform.get("/platform/sub-accounts")
    assert answer.status_code == 200, answer.text
    tree = answer.json()
    assert tree["sub_accounts_fen"] == tree["custody_fen"] + tree["channels_owe_fen"] + tree["bank_charges_fen"]
    functional = {item["sub_account_no"]: item["balance_fen"] for item in tree["functional"]}
    return functional, {name: value for name, value in tree.items() if name.endswith("_fen")}


async def test_all_functional_sub_accounts_are_open_with_the_platform_at_zero(platform: Platform) -> None:
    functional, sums = await balances_fen(platform)
    assert functional == dict.fromkeys(EVERY_ONE, 0)
    assert set(sums.values()) == {0}
    for number in EVERY_ONE:
        events = (await platform.get("/events", kind="sub_account", object_no=number)).json()["events"]
        assert [event["event_type"] for event in events] == ["sub_account.opened"]


async def test_the_tree_shows_where_the_money_is(platform: Platform) -> None:
    await platform.paid_order()
    functional, sums = await balances_fen(platform)
    assert functional == {**dict.fromkeys(EVERY_ONE, 0), "escrow": PRICE_FEN}
    await platform.command("D-1001/start", "R-1", "C-1")
    functional, sums = await balances_fen(platform)
    released_fen = PRICE_FEN * 30 // 100
    commission_fen = released_fen * 5 // 100
    assert functional == {
        **dict.fromkeys(EVERY_ONE, 0),
        "escrow": PRICE_FEN - released_fen,
        "fees": commission_fen,
    }
    assert sums == {
        "custody_fen": PRICE_FEN,
        "sub_accounts_fen": PRICE_FEN,
        "members_fen": released_fen - commission_fen,
        "channels_owe_fen": 0,
        "bank_charges_fen": 0,
    }


async def test_a_platform_opened_before_gets_what_it_lacks_when_it_is_opened_again(
    registry: Registry, recorder: Recorder, database: Database
) -> None:
    await open_platform(registry)
    connection = await asyncpg.connect(database.superuser_dsn)
    await connection.execute("SET session_replication_role = replica")  # past the guards that forbid it
    await connection.execute("DELETE FROM business_object WHERE kind = 'sub_account' AND object_no <> 'escrow'")
    await connection.execute("DELETE FROM event WHERE kind = 'sub_account' AND object_no <> 'escrow'")
    await connection.execute(
        "DELETE FROM request WHERE request_no LIKE ':platform:sub_account:%' AND request_no NOT LIKE '%escrow'"
    )
    before = await opened_sub_accounts(recorder, "HOME")
    assert list(before) == ["escrow"]
    await open_platform(registry)
    opened = await opened_sub_accounts(recorder, "HOME")
    await open_platform(registry)
    assert set(opened) == {item.number for item in FUNCTIONAL_SUB_ACCOUNTS}
    assert opened["escrow"] == before["escrow"]
    assert await connection.fetchval("SELECT count(*) FROM event WHERE kind = 'sub_account'") == len(opened)
    await connection.close()
