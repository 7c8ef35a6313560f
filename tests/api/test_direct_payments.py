"""Direct payment over HTTP: the payer scans, the order is paid; cancelled, the money goes back the way it came."""

from tests.api.platforms import PRICE_FEN, Platform, created
from tests.waiting import until

PAYING = {"request_no": "R-1", "by": "O-1", "method": "qr_alipay"}


async def order_waits(platform: Platform) -> None:
    """An order that nobody has paid."""
    await platform.open_owner()
    await platform.open_contractor()
    await platform.open_order()


async def order_is(platform: Platform, status: str) -> None:
    """The order gets into a status."""

    async def does() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == status)

    await until(does, f"the order is {status}")


async def test_an_order_is_paid_by_a_scan_and_refunded_through_the_channel(platform: Platform) -> None:
    await order_waits(platform)
    paying = await created(platform.post("/orders/D-1001/direct-payments", **PAYING))
    assert (paying["status"], paying["amount_fen"]) == ("awaiting_payer", PRICE_FEN)
    again = await platform.post("/orders/D-1001/direct-payments", **PAYING)
    assert (again.status_code, again.json()) == (200, paying)

    number = f"{platform.number}/D-1001:pay:R-1:collect:1"
    await platform.bank.pay(number)
    await order_is(platform, "awaiting_start")
    assert (await platform.balances("O-1"))["available_fen"] == 0

    await platform.command("D-1001/cancel", "R-2", "C-1")
    await order_is(platform, "cancelled")

    async def given_back() -> bool:
        balances = (await platform.get("/platform")).json()["balances_fen"]
        return bool(balances["refund"] == 0 and balances["channel_due"] == 0)

    await until(given_back, "the money goes back")
    shown = (await platform.get("/orders/D-1001/direct-payments/R-1")).json()
    assert (shown["status"], len(shown["payments"])) == ("paid", 1)


async def test_only_the_owner_pays_and_only_an_order_that_waits(platform: Platform) -> None:
    await order_waits(platform)
    stranger = await platform.post("/orders/D-1001/direct-payments", **{**PAYING, "by": "C-1"})
    assert (stranger.status_code, stranger.json()["code"]) == (409, "not_the_party")
    await platform.command("D-1001/cancel", "R-2", "O-1")
    late = await platform.post("/orders/D-1001/direct-payments", **{**PAYING, "request_no": "R-3"})
    assert (late.status_code, late.json()["code"]) == (409, "order_state")
    assert (await platform.post("/orders/D-9/direct-payments", **PAYING)).status_code == 404
    assert (await platform.get("/orders/D-1001/direct-payments/R-9")).status_code == 404
