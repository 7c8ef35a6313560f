"""The sandbox bank's channels in our terms: which rail each one is, and what it can do now."""

from typing import Literal

from pydantic import AwareDatetime

from escrow.channels.protocols import Capabilities, RailCapability
from escrow.channels.sandbox_bank.messages import CHANNEL_OF_RAIL, Message, WireAmount
from escrow.domain.money.amounts import yuan
from escrow.domain.withdrawals.rails import Rail

_RAIL_OF_CHANNEL = {channel: rail for rail, channel in CHANNEL_OF_RAIL.items()}


class ChannelState(Message):
    """One channel of the bank; its tariff is not read, what it really charges is a line on the account."""

    channel: str
    cap: WireAmount | None
    open: bool
    health: Literal["UP", "SLOW", "DOWN"]
    note: str

    def as_capability(self, rail: Rail) -> RailCapability:
        """In our terms; a slow channel still counts as healthy and says so in its note."""
        return RailCapability(
            rail=rail,
            cap_fen=None if self.cap is None else yuan(self.cap),
            open_now=self.open,
            healthy=self.health != "DOWN",
            note=self.note or ("slow" if self.health == "SLOW" else ""),
        )


class CapabilitiesAnswer(Message):
    """The bank's answer about its channels."""

    at: AwareDatetime
    bank_code: str
    channels: tuple[ChannelState, ...]

    def as_capabilities(self) -> Capabilities:
        """In our terms; channels we do not know are passed over."""
        return Capabilities(
            as_of=self.at,
            custody_bank_code=self.bank_code,
            rails=tuple(
                state.as_capability(_RAIL_OF_CHANNEL[state.channel])
                for state in self.channels
                if state.channel in _RAIL_OF_CHANNEL
            ),
        )
