"""The owner as the demo knows it: what it alone has, and what somebody must do at the hosted pages to act for it."""

import html
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.errors import Refused
from escrow.logs import mask_numbers

_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
_ROW = re.compile(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", re.DOTALL)
#: How long a program may take for one page.
PROGRAM_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Owner:
    """What the owner alone has: a payment password of its own choice, and a mobile with its messages."""

    mobile: str
    sandbox: SandboxSteering
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)

    async def newest_code(self) -> str:
        """The code that was sent to the owner last."""
        return await newest_code(self.sandbox, self.mobile)


async def newest_code(sandbox: SandboxSteering, mobile: str) -> str:
    """The code in the newest text message to a mobile, as the bank sandbox's outbox has it.

    Raises:
        Refused: `demo_failed`, no message holds one.
    """
    for message in reversed(await sandbox.sms_outbox()):
        found = _CODE.search(message.text)
        if message.mobile == mobile and found:
            return found[0]
    raise Refused("demo_failed", f"The bank's outbox has no code for {mask_numbers(mobile)}.")


class Visitor(Protocol):
    """Somebody who acts for the owner at the hosted pages; what came of it is asked of the API.

    Args:
        seconds: how long one page may take.
    """

    seconds: float

    async def set_password(self, url: str) -> None:
        """Set the payment password, proved by the code in the SMS."""

    async def authorise(self, url: str) -> Mapping[str, str]:
        """Look at what is asked for and authorise it with the password; the rows that the page showed."""

    async def scan_and_pay(self, url: str, code_says: str) -> str:
        """Scan the cashier page's QR code and pay; how it was read."""


def rows_of(page: str) -> dict[str, str]:
    """Labels and values that a page shows."""
    return {html.unescape(label): html.unescape(value) for label, value in _ROW.findall(page)}
