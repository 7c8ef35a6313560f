"""How a line of an account is shown."""

from datetime import date

from pydantic import Field

from api.schemas import BalanceFen, Time, View
from escrow.ledger.history import HistoryLine


class LineView(View):
    """One line: positive amounts came in, negative ones went out."""

    account: str
    entry_id: int
    request_no: str
    recipe: str = Field(examples=["milestone_released"])
    amount_fen: BalanceFen
    balance_after_fen: BalanceFen
    accounting_day: date
    effective_date: date
    occurred_at: Time
    bank_serial_no: str = Field(description="The bank's line behind it; else empty.")
    cursor: str = Field(description="Continues the list after this line.")


def line_view(line: HistoryLine) -> LineView:
    """How a line of an account is shown."""
    return LineView(
        account=str(line.account),
        entry_id=line.entry_id,
        request_no=line.request_no,
        recipe=line.recipe,
        amount_fen=line.amount_fen,
        balance_after_fen=line.balance_after_fen,
        accounting_day=line.accounting_day,
        effective_date=line.effective_date,
        occurred_at=line.occurred_at,
        bank_serial_no=line.bank_serial_no,
        cursor=line.cursor,
    )
