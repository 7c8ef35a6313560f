"""`escrow states`: the states of orders and withdrawals as a page, and those of what channels collect."""

from typing import Annotated

import typer

from escrow.commands.running import out
from escrow.domain.state_diagrams import render_collections, render_markdown


def states(
    collections: Annotated[bool, typer.Option("--collections", help="Of what channels collect instead.")] = False,
) -> None:
    """Print docs/order-states.md anew from the transition tables, or docs/collection-states.md."""
    page = render_collections() if collections else render_markdown()
    out.print(page, end="", markup=False, highlight=False, soft_wrap=True)
