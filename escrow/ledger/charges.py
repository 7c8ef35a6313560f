"""Making good what the bank charged: out of the platform's fees, then its own money, never out of members' money."""

from escrow.domain.errors import Refused
from escrow.domain.money import recipes
from escrow.domain.money.accounts import bank_charges, fees, own
from escrow.domain.money.journal import Basis, Posting
from escrow.domain.requests import derived
from escrow.domain.withdrawals.charges import cover_charges
from escrow.ledger.balances import account_balance_fen, find_account
from escrow.ledger.engine import Reader
from escrow.ledger.posting import LedgerWriter

_ATTEMPTS = 5


async def cover_bank_charges(reader: Reader, writer: LedgerWriter, platform_no: str) -> int:
    """Make good what the platform owes for charges, as far as its fees and own money reach; repeatable.

    Returns:
        What is still owed, in fen: a shortage at the bank that only the platform can fill.

    Raises:
        Refused: `insufficient_balance` when others spend the money each time it is about to be taken.
    """
    for _ in range(_ATTEMPTS):
        charged = await find_account(reader, bank_charges(platform_no))
        if charged is None or charged.balance_fen >= 0:
            return 0
        cover = cover_charges(
            charges_fen=-charged.balance_fen,
            fees_fen=await account_balance_fen(reader, fees(platform_no)),
            own_fen=await account_balance_fen(reader, own(platform_no)),
        )
        if cover.from_fees_fen + cover.from_own_fen == 0:
            return cover.shortage_fen
        # The request number names the state that was seen: two who cover at once cover it once.
        posting = Posting(
            platform_no=platform_no,
            request_no=derived("bank_charge_covered", charged.account_id, charged.version),
            content={"charges_fen": -charged.balance_fen},
            entry=recipes.bank_charge_covered(
                platform_no=platform_no, from_fees_fen=cover.from_fees_fen, from_own_fen=cover.from_own_fen
            ),
            bases=(Basis(kind="none"),),
        )
        try:
            await writer.post(posting)
        except Refused as refusal:
            if refusal.code != "insufficient_balance":
                raise
    raise Refused("insufficient_balance", "The platform's money moves faster than it can be taken; try again.")
