"""`escrow operator …`: who may decide what takes two persons."""

from typing import Annotated

import typer

from escrow.commands.books import opened_books
from escrow.commands.running import out, run

app = typer.Typer(help="People of the institution, each with a key of its own.")

OperatorNo = Annotated[str, typer.Argument(help="Name or number of one person.")]


@app.command()
def add(operator_no: OperatorNo) -> None:
    """Make an operator; the key is shown this once, to that person alone."""
    run(_add(operator_no))


async def _add(operator_no: str) -> None:
    async with opened_books() as books:
        key = await books.registry.operators.add(operator_no)
    out.print(f"key of {operator_no}, shown this once: {key}")


@app.command()
def revoke(operator_no: OperatorNo) -> None:
    """End an operator's key at once."""
    run(_revoke(operator_no))


async def _revoke(operator_no: str) -> None:
    async with opened_books() as books:
        await books.registry.operators.revoke(operator_no)
    out.print(f"the key of {operator_no} is revoked")
