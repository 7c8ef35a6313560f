"""Sending a one-time code to a member's mobile, past the platform and past Temporal."""

from api.dependencies import Services
from api.mobiles import require_mobile
from api.page_facts import Facts
from escrow.domain.platforms.hosted_pages import CODE_VALID_FOR, PLAIN_CODE_TEXT
from escrow.domain.platforms.sms_texts import SmsText
from escrow.domain.requests import derived
from escrow.registry.pages.page_links import PageLink
from escrow.registry.platforms.platforms import custody_account_of


async def send_code(services: Services, link: PageLink, facts: Facts, *, request_no: str | None = None) -> None:
    """Make a code for the link and send it; one that was asked for before under `request_no` is not sent again.

    Raises:
        Refused: `sms_code_limit` or `no_mobile`.
        BankUnreachable, OutcomeUnknown: nobody sends text messages now.
    """
    mobile = await require_mobile(services.registry, link.platform_no, link.member_no)
    made = await services.registry.sms_codes.make(link, request_no=request_no)
    if made is None:
        return
    number, code = made
    told = {"code": code, "operation": facts.title, "valid_seconds": str(int(CODE_VALID_FOR.total_seconds()))}
    if facts.amount and facts.payee:
        config = (await services.registry.platforms.configurations.current(link.platform_no)).config
        text = config.sms_texts.render(SmsText.AUTHORISATION_CODE, **told, amount=facts.amount, payee=facts.payee)
    else:
        text = PLAIN_CODE_TEXT.format_map(told)
    request = derived(link.platform_no, "code", link.link_id, number)
    custody_account_no = await custody_account_of(services.reader, link.platform_no)
    await services.bank.send(request_no=request, custody_account_no=custody_account_no, mobile=mobile, text=text)
