"""Choosing the channel of a direct debit: a pure function that also says why, for every channel.

A channel is eligible when it reaches the payer's bank, its cap for that bank allows the amount, and the bank says
that it works. Among the eligible ones those that are not slow come first, then the lower charge decides; what is
still equal is decided by name, so the choice is always the same.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from escrow.domain.collections.methods import DebitChannelCapability
from escrow.domain.money.amounts import format_fen


class DebitReason(StrEnum):
    """Why a debit channel was or was not taken."""

    CHOSEN = "chosen"
    SLOWER = "slower"
    DEARER = "dearer"
    LESS_PREFERRED = "less_preferred"
    ALREADY_FAILED = "already_failed"
    OTHER_BANK = "other_bank"
    OVER_CAP = "over_cap"
    UNHEALTHY = "unhealthy"


class DebitCandidate(BaseModel):
    """One channel as it was considered; `sentence` is the reason for people, `fee_fen` what the bank would charge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    reason: DebitReason
    sentence: str
    fee_fen: int


class DebitDecision(BaseModel):
    """What was decided, and why, for every channel in the bank's order; `chosen` is empty when none can do it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chosen: str
    payer_bank: str
    amount_fen: int
    candidates: tuple[DebitCandidate, ...]


def choose_debit_channel(
    channels: Sequence[DebitChannelCapability], *, payer_bank: str, amount_fen: int, failed: Collection[str] = ()
) -> DebitDecision:
    """Choose the channel for one debit and give the reason for each.

    Args:
        channels: what the bank says of them now.
        payer_bank: the bank's short name of the payer's bank.
        amount_fen: positive, in fen.
        failed: channels on which this debit has definitely failed.

    Raises:
        ValueError: amount not positive.
    """
    if amount_fen <= 0:
        raise ValueError("amount_fen must be positive")
    obstacles = {item.channel: _obstacle(item, payer_bank, amount_fen, failed) for item in channels}
    eligible = [item for item in channels if obstacles[item.channel] is None]
    winner = min(eligible, key=lambda item: (bool(item.note), item.fee_fen, item.channel), default=None)
    candidates = []
    for item in channels:
        reason, sentence = obstacles[item.channel] or _against(item, winner)
        candidates.append(DebitCandidate(channel=item.channel, reason=reason, sentence=sentence, fee_fen=item.fee_fen))
    return DebitDecision(
        chosen=winner.channel if winner else "",
        payer_bank=payer_bank,
        amount_fen=amount_fen,
        candidates=tuple(candidates),
    )


def _obstacle(
    item: DebitChannelCapability, payer_bank: str, amount_fen: int, failed: Collection[str]
) -> tuple[DebitReason, str] | None:
    """Why a channel cannot make the debit now, None when it can."""
    if item.channel in failed:
        return DebitReason.ALREADY_FAILED, "this debit has definitely failed on it."
    if payer_bank not in item.bank_caps_fen:
        return DebitReason.OTHER_BANK, f"it does not reach {payer_bank or 'the payer bank'}."
    cap_fen = item.bank_caps_fen[payer_bank]
    if cap_fen is not None and amount_fen > cap_fen:
        return DebitReason.OVER_CAP, f"it takes at most {format_fen(cap_fen)} yuan a debit from {payer_bank}."
    if not item.healthy:
        return DebitReason.UNHEALTHY, "the bank says that it is disturbed."
    return None


def _against(item: DebitChannelCapability, winner: DebitChannelCapability | None) -> tuple[DebitReason, str]:
    """The reason of an eligible channel: it won, or how the winner is better."""
    charge = f"charge {format_fen(item.fee_fen)} yuan"
    if winner is None or item.channel == winner.channel:
        return DebitReason.CHOSEN, f"chosen: {charge}."
    if item.note and not winner.note:
        return DebitReason.SLOWER, f"slower than {winner.channel}: {charge}."
    if item.fee_fen > winner.fee_fen:
        return DebitReason.DEARER, f"dearer than {winner.channel}: {charge}."
    return DebitReason.LESS_PREFERRED, f"as good as {winner.channel}, which comes first by name: {charge}."
