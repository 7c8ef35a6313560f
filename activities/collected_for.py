"""For whom a channel collects, as consents and orders in the books say; never as a workflow says."""

from escrow.domain.collections.batch_payments import batch_consent_no, batch_pay_in_no
from escrow.domain.errors import Refused
from escrow.domain.orders.opening import ORDERS
from escrow.domain.requests import derived
from escrow.ledger.books import known
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader
from escrow.ledger.suspense_credits import consented_payers


async def member_behind(reader: Reader, platform_no: str, pay_in_no: str) -> str:
    """Member of a top-up, owner of an order, or payer of a batch that is collected for; empty when nobody is known.

    Args:
        pay_in_no: `T-1` of a top-up, `D-1:pay:…` of an order, or the number that a batch is collected under.
    """
    batch_no = pay_in_no.removesuffix(batch_pay_in_no(""))
    if batch_no != pay_in_no:
        consent = await get_consent(reader, platform_no, batch_consent_no(batch_no))
        return "" if consent is None else consent.given_by
    order_no, pays_order, _ = pay_in_no.partition(derived("", "pay", ""))
    if pays_order:
        try:
            return (await known(reader, ORDERS, platform_no, order_no)).contract.owner_no
        except Refused:
            return ""
    members = await consented_payers(reader, platform_no, pay_in_no)
    return members[0] if len(members) == 1 else ""
