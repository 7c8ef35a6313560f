"""`escrow states`: the states of orders and withdrawals as a page, of what channels collect, of members."""

from typing import Annotated

import typer

from escrow.commands.running import out
from escrow.domain.state_diagrams import render_collections, render_markdown, render_members


def states(
    collections: Annotated[bool, typer.Option("--collections", help="Of what channels collect instead.")] = False,
    members: Annotated[bool, typer.Option("--members", help="Of members and what looks after them instead.")] = False,
) -> None:
    """Print docs/order-states.md anew from the transition tables, docs/collection-states.md, docs/member-states.md."""
    if collections and members:
        raise typer.BadParameter("say --collections or --members")
    page = render_collections() if collections else render_members() if members else render_markdown()
    out.print(page, end="", markup=False, highlight=False, soft_wrap=True)
