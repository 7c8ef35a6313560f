"""SIGKILL of the worker at every point of every activity of members and money in: nothing is lost or done twice."""

from escrow.domain.platforms.config import PlatformConfig
from tests.faults import callers
from tests.faults.house import House
from tests.faults.matrix import Point
from tests.faults.money_in import MoneyInRound
from tests.faults.money_in_rows import ASKED_FEN, ROWS, TOO_MUCH_FEN
from tests.waiting import until

#: Rounds for one point, until each activity was there once: a busy machine may bring some too late.
_ROUNDS_AT_MOST = 12
#: Top-ups that were paid too much, and orders that a channel paid and that were cancelled.
OVERPAID, CANCELLED = ("hold", "settle", "refund", "asked"), ("back", "asked-back", "settle-back", "told")
_EXCESS_FEN = TOO_MUCH_FEN - ASKED_FEN


async def test_a_worker_killed_at_any_point_of_what_brings_money_in_loses_nothing_and_repeats_nothing(
    house: House, tables: list[str]
) -> None:
    temporal = await house.temporal()
    config = PlatformConfig.model_validate({"top_up_settlement": "T+0"})
    missing = {point: set(ROWS) for point in Point}
    lines = []
    await house.steer.send_notices_to("")
    try:
        for point in Point:
            for attempt in range(_ROUNDS_AT_MOST):
                if not missing[point]:
                    break
                platform = await house.platforms.open(config)
                ahead = await house.platforms.open(config)
                play = MoneyInRound(house, temporal, platform, ahead, f"{point.name.replace('_', '-')}-{attempt}")
                await play.kill_at(point)
                seconds = await play.go_on()
                await require_right_end(house, play)
                missing[point] -= play.reached
                lines.append(f"{point}: {len(play.reached & ROWS)} activity types, answered after {seconds:.1f} s")
    finally:
        await house.steer.send_notices_to(f"{house.stack.api_url}/bank/notices")
    tables.append("\n".join(["worker killed around members and money in:", *lines]))
    assert missing == {point: set() for point in Point}


async def require_right_end(house: House, play: MoneyInRound) -> None:
    """Everybody paid once; what goes back is with the payer once, or waits where it must if the channel never knew."""
    await until(lambda: _nothing_is_on_its_way_back(play), "nothing is on its way back")
    at_channel = await play.at_channel()
    paid = {part: fen for part, (fen, _) in at_channel.items()}
    assert paid == {
        **{part: [ASKED_FEN] for part in ("create", "query", "record", "open", "book")},
        **{part: [TOO_MUCH_FEN] for part in OVERPAID},
        **{part: [callers.PRICE_FEN] for part in (*CANCELLED, "direct", "batch-direct")},
        **{part: [] for part in ("close", "batch-open")},
    }
    refunded = {part: fen for part, (_, fen) in at_channel.items() if fen}
    assert set(refunded) <= {*OVERPAID, *CANCELLED} - {"told"}
    assert all(fen == (_EXCESS_FEN if part in OVERPAID else callers.PRICE_FEN) for part, fen in refunded.items())
    # A refund that never arrived is not sent again: the excess waits for an operator, an order's price is its owner's.
    in_suspense_fen = _EXCESS_FEN * len(set(OVERPAID) - set(refunded))
    credited = set(CANCELLED) - set(refunded)
    held = (await play.platform.get("/platform")).json()["balances_fen"]
    assert held["suspense"] == in_suspense_fen
    owner = await play.platform.balances("O-1")
    topped_up_fen = ASKED_FEN * sum(part in (*OVERPAID, "create", "query", "record", "open", "book") for part in paid)
    # What was transferred first paid a batch and a payment.
    assert owner["available_fen"] == topped_up_fen + ASKED_FEN - 100 + callers.PRICE_FEN * len(credited)
    assert owner["in_escrow_fen"] == 3 * callers.PRICE_FEN
    assert (await play.platform.balances("C-1"))["available_fen"] == 100
    texts = [text for text in await house.texts(play.platform) if text.endswith(":refund-credited")]
    assert texts == sorted(f"{play.no(part)}:refund-credited" for part in credited)
    await house.require_sound_books(play.platform, play.ahead)


async def _nothing_is_on_its_way_back(play: MoneyInRound) -> bool:
    """No refund is under way, and every collection that was overpaid says that its return has ended."""
    if (await play.platform.get("/platform")).json()["balances_fen"]["refund"]:
        return False
    ended = [await play.house.requests_of(play.platform, play.no(part)) for part in OVERPAID]
    return all(f"{play.no(part)}:return:1:end" in taken for part, taken in zip(OVERPAID, ended, strict=True))
