"""`escrow suspense assign`: an operator gives money in suspense to a member, as the platform itself may by its key."""

from datetime import timedelta
from typing import Annotated

import typer

from escrow.commands.books import Books, opened_books
from escrow.commands.running import out, run
from escrow.commands.starting import entered, start_once
from escrow.commands.suspense import OperatorKey, PlatformNo
from escrow.domain.money.amounts import format_fen, yuan
from escrow.domain.requests import PLATFORM_ITSELF, is_platform_number
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no, transfer_terms
from escrow.ledger.consents import NewConsent, record_consent
from escrow.ledger.objects import BusinessObject

_CONSENT_VALIDITY = timedelta(hours=24)
_KIND = TransferKind.ASSIGNMENT


def assign(
    platform_no: PlatformNo,
    assignment_no: Annotated[str, typer.Argument(help="A number of your own among the platform's assignments.")],
    credit_no: Annotated[str, typer.Argument(help="Its number, as `escrow suspense list` shows it.")],
    member_no: Annotated[str, typer.Argument(help="The member that the money belongs to.")],
    amount: Annotated[str, typer.Argument(help="Yuan, e.g. 1,200.50; at most what is there.")],
    operator_key: OperatorKey,
) -> None:
    """Give money in suspense to the member that it belongs to. The platform sees it like its own. Repeatable."""
    if not is_platform_number(assignment_no):
        raise typer.BadParameter("letters, digits, '.', '-' and '_' only", param_hint="ASSIGNMENT_NO")
    run(_assign(platform_no, assignment_no, credit_no, member_no, yuan(amount), operator_key))


async def _assign(
    platform_no: str, assignment_no: str, credit_no: str, member_no: str, amount_fen: int, operator_key: str
) -> None:
    terms = transfer_terms(subject_no=credit_no, member_no=member_no, amount_fen=amount_fen)
    async with opened_books() as books:
        operator_no = await books.registry.operators.of_key(operator_key)
        consent = NewConsent(
            platform_no=platform_no,
            consent_no=transfer_consent_no(_KIND, assignment_no),
            object_kind=_KIND,
            object_no=assignment_no,
            operation=_KIND,
            given_by=PLATFORM_ITSELF,
            terms=terms,
            valid_for=_CONSENT_VALIDITY,
            method=f"operator/{operator_no}",
            asked=True,
        )
        await record_consent(books.recorder, consent)
        assignment = await _made(books, consent)
    out.print(f"{operator_no} assigned {format_fen(amount_fen)} of {credit_no} to {member_no}: {assignment.status}")


async def _made(books: Books, consent: NewConsent) -> BusinessObject:
    """The assignment, made by the workflow that makes the platform's own."""
    platform_no, assignment_no = consent.platform_no, consent.object_no
    await start_once(
        "Transfer",
        {"platform_no": platform_no, "kind": _KIND.value, "transfer_no": assignment_no},
        workflow_id=f"{_KIND}/{platform_no}/{assignment_no}",
        summary=f"{_KIND} of {format_fen(consent.terms['amount_fen'])} yuan, by an operator",
    )
    return await entered(books.recorder, platform_no, _KIND, assignment_no, consent_no=consent.consent_no)
