"""The sandbox bank's collection methods and debit channels in our terms."""

from collections.abc import Mapping
from typing import Literal

from pydantic import AwareDatetime

from escrow.channels.sandbox_bank.messages import Message, WireAmount
from escrow.channels.sandbox_collections.messages import METHOD_OF_WIRE
from escrow.domain.collections.methods import CollectionCapabilities, DebitChannelCapability, MethodCapability
from escrow.domain.money.amounts import yuan

_Health = Literal["UP", "SLOW", "DOWN"]


class MethodState(Message):
    """One method of the bank."""

    method: str
    cap: WireAmount | None
    health: _Health
    fee_basis_points: int
    settlement: Literal["T+0", "T+1"]
    net: bool
    refund_days: int

    def as_capability(self) -> MethodCapability:
        """In our terms; a slow method still counts as healthy and says so in its note."""
        return MethodCapability(
            method=METHOD_OF_WIRE[self.method],
            cap_fen=None if self.cap is None else yuan(self.cap),
            healthy=self.health != "DOWN",
            note="slow" if self.health == "SLOW" else "",
            fee_basis_points=self.fee_basis_points,
            next_day=self.settlement == "T+1",
            net_of_fees=self.net,
            refund_days=self.refund_days,
        )


class DebitChannelState(Message):
    """One debit channel of the bank."""

    channel: str
    health: _Health
    fee: WireAmount
    bank_caps: Mapping[str, WireAmount | None]

    def as_capability(self) -> DebitChannelCapability:
        """In our terms."""
        return DebitChannelCapability(
            channel=self.channel,
            healthy=self.health != "DOWN",
            note="slow" if self.health == "SLOW" else "",
            fee_fen=yuan(self.fee),
            bank_caps_fen={bank: None if cap is None else yuan(cap) for bank, cap in self.bank_caps.items()},
        )


class CapabilitiesAnswer(Message):
    """The bank's answer about its methods."""

    at: AwareDatetime
    transit_acct: str
    methods: tuple[MethodState, ...]
    debit_channels: tuple[DebitChannelState, ...]

    def as_capabilities(self) -> CollectionCapabilities:
        """In our terms; methods we do not know are passed over."""
        return CollectionCapabilities(
            as_of=self.at,
            transit_account_no=self.transit_acct,
            methods=tuple(state.as_capability() for state in self.methods if state.method in METHOD_OF_WIRE),
            debit_channels=tuple(state.as_capability() for state in self.debit_channels),
        )
