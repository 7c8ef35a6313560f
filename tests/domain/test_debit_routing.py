"""The channel of a direct debit: chosen by bank, cap, fee and health, with a reason for each that was not."""

import pytest

from escrow.domain.collections.debit_routing import DebitDecision, DebitReason, choose_debit_channel
from escrow.domain.collections.methods import DebitChannelCapability

OWN, UNIONPAY, NETS = "OWN_BANK", "UNIONPAY_DEBIT", "NETS_DEBIT"


def channels(**health: str) -> list[DebitChannelCapability]:
    """The three channels, each `up`, `slow` or `down`."""
    terms: list[tuple[str, int, dict[str, int | None]]] = [
        (OWN, 0, {"PAB": None}),
        (UNIONPAY, 100, {"ICBC": 5_000_000, "BOS": 2_000_000}),
        (NETS, 300, {"ICBC": 20_000_000, "PAB": 20_000_000}),
    ]
    return [
        DebitChannelCapability(
            channel=name,
            healthy=health.get(name, "up") != "down",
            note="slow" if health.get(name) == "slow" else "",
            fee_fen=fee_fen,
            bank_caps_fen=caps,
        )
        for name, fee_fen, caps in terms
    ]


def reasons(decision: DebitDecision) -> dict[str, str]:
    return {item.channel: item.reason.value for item in decision.candidates}


def test_the_cheapest_channel_that_reaches_the_bank_is_chosen() -> None:
    decision = choose_debit_channel(channels(), payer_bank="ICBC", amount_fen=100)
    assert decision.chosen == UNIONPAY
    assert reasons(decision) == {OWN: "other_bank", UNIONPAY: "chosen", NETS: "dearer"}
    assert all(item.sentence for item in decision.candidates)


def test_an_account_at_the_custody_bank_is_debited_there_without_a_charge() -> None:
    assert choose_debit_channel(channels(), payer_bank="PAB", amount_fen=2**62).chosen == OWN


@pytest.mark.parametrize(
    ("amount_fen", "chosen"), [(5_000_000, UNIONPAY), (5_000_001, NETS), (20_000_000, NETS), (20_000_001, "")]
)
def test_a_cap_is_that_of_the_payers_bank_and_includes_itself(amount_fen: int, chosen: str) -> None:
    decision = choose_debit_channel(channels(), payer_bank="ICBC", amount_fen=amount_fen)
    assert decision.chosen == chosen
    if amount_fen > 5_000_000:
        assert reasons(decision)[UNIONPAY] == DebitReason.OVER_CAP


def test_a_channel_that_is_down_is_passed_over_and_a_slow_one_comes_last() -> None:
    down = choose_debit_channel(channels(UNIONPAY_DEBIT="down"), payer_bank="ICBC", amount_fen=100)
    assert (down.chosen, reasons(down)[UNIONPAY]) == (NETS, "unhealthy")
    slow = choose_debit_channel(channels(UNIONPAY_DEBIT="slow"), payer_bank="ICBC", amount_fen=100)
    assert (slow.chosen, reasons(slow)[UNIONPAY]) == (NETS, "slower")
    both = choose_debit_channel(channels(UNIONPAY_DEBIT="slow", NETS_DEBIT="slow"), payer_bank="ICBC", amount_fen=100)
    assert both.chosen == UNIONPAY


def test_a_channel_on_which_the_debit_failed_is_not_asked_again() -> None:
    decision = choose_debit_channel(channels(), payer_bank="ICBC", amount_fen=100, failed=[UNIONPAY])
    assert (decision.chosen, reasons(decision)[UNIONPAY]) == (NETS, "already_failed")
    none = choose_debit_channel(channels(), payer_bank="ICBC", amount_fen=100, failed=[UNIONPAY, NETS])
    assert none.chosen == ""


def test_no_channel_reaches_a_bank_that_none_names() -> None:
    decision = choose_debit_channel(channels(), payer_bank="HXB", amount_fen=100)
    assert decision.chosen == ""
    assert set(reasons(decision).values()) == {"other_bank"}


def test_equal_channels_are_told_apart_by_name() -> None:
    twins = [
        DebitChannelCapability(channel=name, healthy=True, note="", fee_fen=100, bank_caps_fen={"ICBC": None})
        for name in ("B", "A")
    ]
    decision = choose_debit_channel(twins, payer_bank="ICBC", amount_fen=1)
    assert (decision.chosen, reasons(decision)["B"]) == ("A", "less_preferred")
    assert choose_debit_channel(twins[::-1], payer_bank="ICBC", amount_fen=1).chosen == "A"


def test_a_debit_of_nothing_is_no_debit() -> None:
    with pytest.raises(ValueError, match="positive"):
        choose_debit_channel(channels(), payer_bank="ICBC", amount_fen=0)
