"""`escrow states`: the states of orders and withdrawals as a page."""

from escrow.commands.running import out
from escrow.domain.state_diagrams import render_markdown


def states() -> None:
    """Print docs/order-states.md anew from the transition tables."""
    out.print(render_markdown(), end="", markup=False, highlight=False, soft_wrap=True)
