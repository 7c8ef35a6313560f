"""What a page tells its member about that which is asked for."""

from dataclasses import dataclass

from api.dependencies import Services
from api.page_texts import Texts
from escrow.domain.members.account_operations import UNBIND
from escrow.domain.members.identity_numbers import mask
from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.hosted_pages import PagePurpose
from escrow.ledger.books import known
from escrow.registry.members.members import PLATFORM_ITSELF, Member, MemberKind
from escrow.registry.pages.page_links import PageLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Title, rows of label and value, and a clause; `amount` is in yuan."""

    title: str
    rows: tuple[tuple[str, str], ...]
    clause: str | None = None
    amount: str | None = None
    payee: str | None = None


async def facts_of(services: Services, link: PageLink, texts: Texts) -> Facts:
    """What is asked for, as it stands in the link and in the books.

    Raises:
        Refused: `not_found` or `account_not_bound`, something that it names is not there any more.
    """
    platform = await services.registry.platforms.get(link.platform_no)
    first = (texts["platform"], platform.name)
    if link.purpose is not PagePurpose.AUTHORISE:
        return Facts(title=texts[link.purpose], rows=(first, (texts["member"], link.member_no)))
    match link.content["object_kind"]:
        case "order":
            return await _of_order(services, link, texts, first, platform.name)
        case "withdrawal":
            return await _of_withdrawal(services, link, texts, first)
        case "payment":
            return await _of_payment(services, link, texts, first, platform.name)
        case "batch_payment":
            return await _of_batch(services, link, texts, first, platform.name)
        case "mandate":
            return await _of_mandate(services, link, texts, first)
        case "bank_account":
            return await _of_bank_account(services, link, texts, first)
        case _:
            return Facts(title=texts["close"], rows=(first, (texts["member"], link.member_no)))


async def _of_order(
    services: Services, link: PageLink, texts: Texts, first: tuple[str, str], platform_name: str
) -> Facts:
    operation, terms = link.content["operation"], link.content["terms"]
    order = await known(services.reader, ORDERS, link.platform_no, link.content["object_no"])
    contract, rows = order.contract, [first, (texts["order"], link.content["object_no"])]
    if operation == OrderCommand.CANCEL:
        held = texts["yuan"].format(amount=format_fen(order.state.held_fen))
        return Facts(title=texts[operation], rows=(*rows, (texts["held"], held)))
    payee_no = "" if contract.contractor_no == PLATFORM_ITSELF else contract.contractor_no
    payee = await _shown_name(services, link.platform_no, payee_no) if payee_no else platform_name
    if "method" in terms:
        rows += [(texts["method"], texts[f"method_{terms['method']}"]), *await _debited(services, link, texts)]
    if "milestone" in terms:
        number = terms["milestone"]
        rows.append((texts["milestone"], f"{number} · {contract.milestones[number - 1].name}"))
    deposit_fen = sum(part.amount_fen for part in contract.milestones if part.kind is MilestoneKind.START)
    amount = format_fen(terms.get("amount_fen", deposit_fen))
    rows += [(texts["amount"], texts["yuan"].format(amount=amount)), (texts["payee"], payee)]
    days = terms.get("silence_is_acceptance_after_days")
    return Facts(
        title=texts[operation],
        rows=tuple(rows),
        clause=texts["silence_clause"].format(days=days) if days is not None else None,
        amount=amount,
        payee=payee,
    )


async def _of_batch(
    services: Services, link: PageLink, texts: Texts, first: tuple[str, str], platform_name: str
) -> Facts:
    """The total first, then every order of the list with its payee and amount."""
    terms = link.content["terms"]
    orders = terms["orders"]
    payees = dict.fromkeys({order["payee_no"] for order in orders}, platform_name)
    for number in payees.keys() - {""}:
        payees[number] = await _shown_name(services, link.platform_no, number)
    total = format_fen(terms["total_fen"])
    rows = [
        first,
        (texts["batch"], link.content["object_no"]),
        (texts["amount"], texts["yuan"].format(amount=total)),
        (texts["batch_orders"], str(len(orders))),
        (texts["batch_payees"], str(len(payees))),
    ]
    if terms["paid_by"] != "balance":
        rows.append((texts["method"], texts[f"method_{terms['paid_by']}"]))
    for order in orders:
        amount = texts["yuan"].format(amount=format_fen(order["amount_fen"]))
        rows.append((f"{texts['order']} {order['order_no']}", f"{amount} · {payees[order['payee_no']]}"))
    days = sorted({order["silence_is_acceptance_after_days"] for order in orders})
    return Facts(
        title=texts["pay_batch"],
        rows=tuple(rows),
        clause=texts["silence_clause"].format(days=str(days[0]) if len(days) == 1 else f"{days[0]}-{days[-1]}"),
        amount=total,
        payee=texts["batch_to"].format(orders=len(orders), payees=len(payees)),
    )


async def _of_withdrawal(services: Services, link: PageLink, texts: Texts, first: tuple[str, str]) -> Facts:
    terms = link.content["terms"]
    account = await services.registry.bank_accounts.to_pay(link.platform_no, link.member_no, terms["account_id"])
    amount, to = format_fen(terms["principal_fen"]), f"{account.bank_name} {mask(account.account_no)}".strip()
    fee_fen = terms.get("fee_fen", 0)
    fee = ((texts["fee"], texts["yuan"].format(amount=format_fen(fee_fen))),) if fee_fen else ()
    rows = (
        first,
        (texts["withdrawal"], link.content["object_no"]),
        (texts["amount"], texts["yuan"].format(amount=amount)),
        *fee,
        (texts["to_account"], to),
    )
    title = texts["withdraw" if link.member_no else "platform_withdraw"]
    return Facts(title=title, rows=rows, amount=amount, payee=to)


async def _debited(services: Services, link: PageLink, texts: Texts) -> list[tuple[str, str]]:
    """From which card, or under which mandate, an order is paid; nothing where the payer acts elsewhere."""
    how = link.content["carry_out"]
    if how.get("mandate_no"):
        return [(texts["mandate"], how["mandate_no"])]
    if how.get("account_id"):
        account = await services.registry.bank_accounts.to_pay(link.platform_no, link.member_no, how["account_id"])
        return [(texts["bank_account"], f"{account.bank_name} {mask(account.account_no)}".strip())]
    return []


async def _of_mandate(services: Services, link: PageLink, texts: Texts, first: tuple[str, str]) -> Facts:
    terms = link.content["terms"]
    account = await services.registry.bank_accounts.to_pay(link.platform_no, link.member_no, terms["account_id"])
    caps = [
        (texts[cap], texts["yuan"].format(amount=format_fen(terms[f"{cap}_fen"]))) for cap in ("per_debit", "per_day")
    ]
    rows = (
        first,
        (texts["mandate"], link.content["object_no"]),
        (texts["bank_account"], f"{account.bank_name} {mask(account.account_no)}".strip()),
        *caps,
        (texts["last_day"], terms["last_day"]),
        (texts["text_version"], terms["text_version"]),
    )
    return Facts(title=texts["sign_mandate"], rows=rows, clause=texts["mandate_clause"])


async def _of_bank_account(services: Services, link: PageLink, texts: Texts, first: tuple[str, str]) -> Facts:
    operation, terms = link.content["operation"], link.content["terms"]
    member = await services.registry.members.get(link.platform_no, link.member_no)
    rows = [first, (texts["holder"], shown_name(member)), (texts["bank_account"], terms["account_no_masked"])]
    if operation == UNBIND:
        return Facts(title=texts["unbind_account"], rows=tuple(rows), clause=texts["unbind_clause"])
    if terms["bank_name"]:
        rows.append((texts["bank"], terms["bank_name"]))
    rows.append((texts["account_kind"], texts["corporate" if terms["is_corporate"] else "personal_card"]))
    return Facts(title=texts["bind_account"], rows=tuple(rows), clause=texts["bind_clause"])


async def _of_payment(
    services: Services, link: PageLink, texts: Texts, first: tuple[str, str], platform_name: str
) -> Facts:
    payee_no, amount = link.content["terms"]["subject_no"], format_fen(link.content["terms"]["amount_fen"])
    payee = await _shown_name(services, link.platform_no, payee_no) if payee_no else platform_name
    rows = (
        first,
        (texts["payment"], link.content["object_no"]),
        (texts["amount"], texts["yuan"].format(amount=amount)),
        (texts["payee"], payee),
    )
    return Facts(title=texts["pay_at_once"], rows=rows, clause=texts["at_once_clause"], amount=amount, payee=payee)


async def _shown_name(services: Services, platform_no: str, member_no: str) -> str:
    return shown_name(await services.registry.members.get(platform_no, member_no))


def shown_name(member: Member) -> str:
    """A company by its full name, which is public; of a person the first sign of the name only."""
    if member.kind is MemberKind.PERSON:
        return f"{member.name[:1]}** ({member.member_no})"
    return member.name
