"""The members join: who they are, which accounts are theirs, and what the owner does at the hosted pages."""

from escrow.commands.contract_file import MemberTerms
from escrow.commands.demo.owner import newest_code
from escrow.commands.demo.platform_api import PlatformApi
from escrow.commands.demo.stage import Stage
from escrow.commands.demo.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import mask
from escrow.logs import mask_numbers

#: What a member agrees to before somebody is asked about it; the demo's members sit at this machine.
_CONSENT = {"text_version": "demo-1", "address": "127.0.0.1"}


async def members_open(stage: Stage) -> None:
    """Every member of the contract file opens and binds its bank account; who tells its ID number is checked."""
    for member in stage.contract.members.values():
        await open_member(stage.api, member)
        stage.narrator.line(f"{member.member_no} {member.name} ({_role(stage, member)})")
        if member.id_no:
            await _identity_checked(stage, member)
        await bind_account(stage.api, member)
        stage.narrator.line(f"  bound to {member.bank_account.bank_name} {mask(member.bank_account.account_no)}")
        if member.id_no:
            await _card_checked(stage, member)


async def open_member(api: PlatformApi, member: MemberTerms) -> None:
    """Open a member's wallet; repeatable."""
    await api.post(
        "members", {"member_no": member.member_no, "kind": member.kind, "name": member.name, "mobile": member.mobile}
    )


async def bind_account(api: PlatformApi, member: MemberTerms) -> None:
    """Bind a member's bank account; repeatable."""
    account = member.bank_account
    await api.post(
        f"members/{member.member_no}/bank-accounts",
        {
            "account_id": _account_id(member),
            "account_no": account.account_no,
            "account_name": member.name,
            "is_corporate": member.kind == "company",
            "cnaps_code": account.cnaps_code,
            "bank_name": account.bank_name,
        },
    )


async def _identity_checked(stage: Stage, member: MemberTerms) -> None:
    path = f"members/{member.member_no}/identity-checks"
    asked = await stage.api.post(
        path, {"request_no": stage.api.next_request_no(), "id_no": member.id_no, "consent": _CONSENT}
    )

    async def answered() -> bool:
        nonlocal asked
        asked = await stage.api.get(f"{path}/{asked['request_no']}")
        return bool(asked["status"] != "asked")

    await until(answered, "the register did not answer about a member")
    if asked["status"] != "verified":
        raise Refused("demo_failed", f"The register answers {asked['result']} for {member.member_no}.")
    stage.narrator.line(f"  name and ID number match in the register ({asked['source']})")


async def _card_checked(stage: Stage, member: MemberTerms) -> None:
    """UnionPay compares name, ID number, card and mobile, and sends a code that the member types."""
    path = f"members/{member.member_no}/bank-accounts/{_account_id(member)}"
    check = await stage.api.post(
        f"{path}/verify/unionpay",
        {"request_no": stage.api.next_request_no(), "mobile": member.mobile, "consent": _CONSENT},
    )
    if check["reason"] == "card_bank_not_supported":
        stage.narrator.line("  UnionPay does not check cards of this bank: the account stays bound as given")
        return
    typed = await stage.api.post(
        f"{path}/verify/{check['request_no']}/confirm-code",
        {"request_no": stage.api.next_request_no(), "code": await newest_code(stage.sandbox, member.mobile)},
    )
    account = await stage.api.get(path)
    if typed["outcome"] != "accepted" or account["verification"] != "unionpay":
        raise Refused("demo_failed", f"The UnionPay check of {mask(member.bank_account.account_no)} failed.")
    stage.narrator.line(
        f"  verified by UnionPay: the code sent to {mask_numbers(member.mobile)} (in the sandbox's outbox) was typed"
    )


async def owner_sets_password(stage: Stage) -> None:
    """The owner sets its payment password on the hosted page, where the platform cannot read it."""
    owner_no = stage.contract.owner.member_no
    wish = {"request_no": stage.api.next_request_no(), "purpose": "set"}
    path = f"members/{owner_no}/payment-password-links"
    link = await stage.api.post(path, wish)
    stage.narrator.line("the platform asks for a link that works once, and sends the owner there")
    await stage.visitor.set_password(link["url"])

    async def is_set() -> bool:
        return bool((await stage.api.post(path, wish))["status"] == "used")

    await until(is_set, "the payment password was not set", within_seconds=stage.visitor.seconds)
    stage.narrator.line(
        f"{owner_no} has set a payment password, proved by a code in an SMS; the platform never sees either"
    )


async def owner_accepts(stage: Stage, order_no: str, milestone: int) -> None:
    """The owner accepts a milestone: the platform asks, the owner authorises it on the hosted page."""
    owner_no = stage.contract.owner.member_no
    path = f"orders/{order_no}/milestones/{milestone}/accept"
    body = {"request_no": stage.api.next_request_no(), "by": owner_no, "note": ""}
    asked = (await stage.api.post(path, body))["authorization"]
    shown = await stage.visitor.authorise(asked["url"])
    seen = f": {', '.join(f'{label} {value}' for label, value in shown.items())}" if shown else ""
    stage.narrator.line(
        f"the platform asks {owner_no} to accept M{milestone} of {order_no}; the hosted page shows it{seen}"
    )

    async def is_authorised() -> bool:
        now = await stage.api.get(f"authorizations/{asked['authorization_id']}")
        return bool(now["status"] != "pending")

    await until(is_authorised, "the acceptance was not authorised", within_seconds=stage.visitor.seconds)
    await stage.api.post(path, body)  # the platform's own call, repeated, now says what came of it
    stage.narrator.line(f"{owner_no} accepts M{milestone}, authorised there by payment password")


def _account_id(member: MemberTerms) -> str:
    return f"A-{member.member_no}"[:64]


def _role(stage: Stage, member: MemberTerms) -> str:
    order = stage.contract.order
    return {order.owner_no: "owner", order.contractor_no: "contractor"}.get(member.member_no, "member")
