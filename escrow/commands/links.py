"""`escrow links`: hosted pages for a person to click, on a platform of its own that is there to be tried."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.books import Books, opened_books
from escrow.commands.contract_file import ContractFile, read_contract_file
from escrow.commands.demo.members import bind_account, open_member
from escrow.commands.demo.platform_api import PlatformApi
from escrow.commands.demo.waiting import until
from escrow.commands.running import out, run
from escrow.domain.errors import Refused
from escrow.domain.platforms.authorisations import Authorisation, AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.time.calendars import SHANGHAI
from escrow.registry.platforms.file import PlatformFile
from escrow.stack.up import ROOT

_PLATFORM = PlatformFile(
    platform_no="TRY",
    name="试用家装平台",
    # By SMS code, so that it can be authorised before anybody has set a password.
    config=PlatformConfig(authorisation=Authorisation(accept=AuthorisationMethod.SMS_CODE)),
)
_PRICE_FEN = 120_000


def links() -> None:
    """Show links to hosted pages that you can try: cashier, payment password, authorisation. Each call makes new ones.

    They belong to two orders of the platform TRY at the bank sandbox; its members are those of examples/contract.yaml.
    """
    run(show_links())


async def show_links() -> None:
    """Make the links on the stack that the settings name, and print them.

    Raises:
        EscrowError: the stack does not answer, or says no.
        SettingsError: settings are absent or wrong.
    """
    parties = read_contract_file(ROOT / "examples" / "contract.yaml")
    async with opened_books() as books:
        sandbox = SandboxSteering(books.settings.bank_url)
        try:
            made = await _made(books, sandbox, parties)
        finally:
            await sandbox.aclose()
    out.print("Hosted pages to try, each good for some minutes; SMS codes are shown by `escrow sandbox sms`:")
    for name, link in made.items():
        out.print(f"  {name}\n    {link}", markup=False)
    out.print("`escrow links` makes new ones.")


async def _made(books: Books, sandbox: SandboxSteering, parties: ContractFile) -> Mapping[str, str]:
    """Links by what they lead to."""
    custody_account_no = await sandbox.open_custody_account(reference=_PLATFORM.platform_no, title=_PLATFORM.name)
    await books.registry.open_platform(_PLATFORM, custody_account_no=custody_account_no)
    issued = await books.registry.platforms.issue_key(_PLATFORM.platform_no)
    settings, stamp = books.settings, f"{datetime.now(SHANGHAI):%Y%m%d-%H%M%S}"
    base_url = settings.public_url or f"http://{settings.api_host}:{settings.api_port}"
    api = PlatformApi(base_url, issued.key, numbers=stamp)
    try:
        for member in (parties.owner, parties.contractor):
            await open_member(api, member)
            await bind_account(api, member)
        collected = await _collected(api, parties, order_no=f"pay-{stamp}")
        return {
            "pay an order: the cashier page": collected["cashier_url"],
            "… and where its QR code leads": collected["interaction"]["qr_content"],
            "set or change a payment password": await _password_link(api, parties.owner.member_no),
            "authorise an acceptance, by SMS code": await _authorisation(
                api, sandbox, parties, custody_account_no, order_no=f"accept-{stamp}"
            ),
        }
    finally:
        await api.aclose()
        await books.registry.platforms.revoke_key(_PLATFORM.platform_no, issued.key_id)


async def _open_order(api: PlatformApi, parties: ContractFile, order_no: str) -> None:
    await api.post(
        "orders",
        {
            "order_no": order_no,
            "owner_no": parties.owner.member_no,
            "contractor_no": parties.contractor.member_no,
            "total_fen": _PRICE_FEN,
            "milestones": [{"name": "设计图 Drawings", "kind": "acceptance", "amount_fen": _PRICE_FEN}],
        },
    )


async def _collected(api: PlatformApi, parties: ContractFile, *, order_no: str) -> dict[str, Any]:
    """A direct payment that waits for its payer."""
    await _open_order(api, parties, order_no)
    return await api.post(
        f"orders/{order_no}/direct-payments",
        {"request_no": api.next_request_no(), "by": parties.owner.member_no, "method": "qr_wechat"},
    )


async def _password_link(api: PlatformApi, member_no: str) -> str:
    path = f"members/{member_no}/payment-password-links"
    try:
        link = await api.post(path, {"request_no": api.next_request_no(), "purpose": "set"})
    except Refused as refusal:
        if refusal.code != "payment_password_set":
            raise
        link = await api.post(path, {"request_no": api.next_request_no(), "purpose": "change"})
    return str(link["url"])


async def _authorisation(
    api: PlatformApi, sandbox: SandboxSteering, parties: ContractFile, custody_account_no: str, *, order_no: str
) -> str:
    """An order paid by a transfer, whose only stage is reported complete: its owner is asked to accept it."""
    owner, contractor_no = parties.owner, parties.contractor.member_no
    await sandbox.transfer(
        custody_account_no=custody_account_no,
        amount_fen=_PRICE_FEN,
        account_no=owner.bank_account.account_no,
        account_name=owner.name,
    )

    async def credited() -> bool:
        balances = await api.get(f"members/{owner.member_no}/balances")
        return bool(balances["available_fen"] >= _PRICE_FEN)

    await until(credited, "the transfer to the bank sandbox was not credited")
    await _open_order(api, parties, order_no)
    await api.command(order_no, "pay", by=owner.member_no)
    await api.command(order_no, "start", by=contractor_no)
    await api.command(order_no, "milestones/1/complete", by=contractor_no)
    asked = await api.command(order_no, "milestones/1/accept", by=owner.member_no)
    return str(asked["authorization"]["url"])
