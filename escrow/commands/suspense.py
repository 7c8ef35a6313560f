"""`escrow suspense …`: money in suspense that two operators pay out; one proposes, another confirms."""

from typing import Annotated

import typer

from escrow.commands.books import Books, opened_books
from escrow.commands.running import out, run
from escrow.commands.starting import entered, start_once
from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import mask
from escrow.domain.money.accounts import Purpose
from escrow.domain.money.amounts import format_fen, yuan
from escrow.ledger.balances import AccountBalance, list_accounts

app = typer.Typer(help="Assign money in suspense, or pay it out by two operators.")

PlatformNo = Annotated[str, typer.Argument(help="The platform's number.")]
ReturnNo = Annotated[str, typer.Argument(help="A number of your own among the platform's withdrawals.")]
OperatorKey = Annotated[
    str,
    typer.Option(
        envvar="ESCROW_OPERATOR_KEY", prompt="Your operator key", hide_input=True, help="Asked for if absent."
    ),
]

_PAGE = 200


@app.command("list")
def list_credits(platform_no: PlatformNo) -> None:
    """Show what is in suspense, and the masked account that it came from."""
    run(_list(platform_no))


async def _list(platform_no: str) -> None:
    async with opened_books() as books:
        after = 0
        while True:
            found = await list_accounts(
                books.recorder, platform_no, purpose=Purpose.SUSPENSE, after_account_id=after, limit=_PAGE
            )
            for item in found:
                if item.balance_fen:
                    out.print(f"{item.account.ref}  {format_fen(item.balance_fen)}  {await _came_from(books, item)}")
            if len(found) < _PAGE:
                return
            after = found[-1].account_id


async def _came_from(books: Books, item: AccountBalance) -> str:
    try:
        line = await books.registry.suspense_payouts.source(item.account.platform_no, item.account.ref)
    except Refused:
        return "collected by a channel"
    what = "given back of a payout to" if line.kind == "return" else "from"
    return f"{what} {mask(line.counterparty_account_no)}"


@app.command()
def propose(
    platform_no: PlatformNo,
    return_no: ReturnNo,
    credit_no: Annotated[str, typer.Argument(help="The bank's serial number, as `escrow suspense list` shows it.")],
    amount: Annotated[str, typer.Argument(help="Yuan, e.g. 1,200.50; at most what is there.")],
    operator_key: OperatorKey,
    name_account: Annotated[
        bool,
        typer.Option(
            "--name-account",
            help="Ask for the account that money given back of a payout, or collected by a channel, goes to now; it "
            "must bear the payee's or the member's name.",
        ),
    ] = False,
    name_holder: Annotated[
        bool,
        typer.Option("--name-holder", help="Ask for its holder's name too, where no member is known."),
    ] = False,
    cnaps_code: Annotated[str, typer.Option(help="CNAPS code of that account's branch, where known.")] = "",
) -> None:
    """Propose to pay money in suspense out: to where it came from, or with --name-account where it belongs now."""
    account_no = typer.prompt("Account number", hide_input=True) if name_account else None
    account_name = typer.prompt("Account holder's name") if name_holder else None
    run(_propose(platform_no, return_no, credit_no, yuan(amount), operator_key, (account_no, account_name), cnaps_code))


async def _propose(
    platform_no: str,
    return_no: str,
    credit_no: str,
    amount_fen: int,
    operator_key: str,
    account: tuple[str | None, str | None],
    cnaps_code: str,
) -> None:
    account_no, account_name = account
    async with opened_books() as books:
        proposal = await books.registry.suspense_payouts.propose(
            platform_no,
            return_no,
            credit_no=credit_no,
            amount_fen=amount_fen,
            operator_no=await books.registry.operators.of_key(operator_key),
            account_no=account_no,
            account_name=account_name,
            cnaps_code=cnaps_code,
        )
    out.print(f"{proposal.proposed_by} proposed {return_no}: {format_fen(amount_fen)} of {credit_no}")
    out.print(f"another operator confirms it: escrow suspense confirm {platform_no} {return_no}")


@app.command()
def confirm(platform_no: PlatformNo, return_no: ReturnNo, operator_key: OperatorKey) -> None:
    """Confirm what another operator proposed: the money is sent. Repeatable."""
    run(_confirm(platform_no, return_no, operator_key))


async def _confirm(platform_no: str, return_no: str, operator_key: str) -> None:
    async with opened_books() as books:
        operator_no = await books.registry.operators.of_key(operator_key)
        proposal, consent = await books.registry.suspense_payouts.confirm(
            platform_no, return_no, operator_no=operator_no
        )
        await start_once(
            "Withdrawal",
            {"platform_no": platform_no, "withdrawal_no": return_no},
            workflow_id=f"withdrawal/{platform_no}/{return_no}",
            summary=f"{format_fen(proposal.amount_fen)} yuan of suspense, by two operators",
        )
        withdrawal = await entered(books.recorder, platform_no, "withdrawal", return_no, consent_no=consent.consent_no)
    out.print(f"{proposal.proposed_by} and {proposal.decided_by} decided {return_no}: {withdrawal.status}")
