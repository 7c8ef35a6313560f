"""Addresses of cashier pages: they name a collection, and a keyed digest shows that we made them."""

import base64
import binascii
import hmac

from escrow.ledger.personal_data import PersonalDataBox

_FIELD = "cashier"
_FORM_FIELD = "cashier_form"


class CashierLinks:
    """Makes and reads the addresses; who has one can pay, and see what is asked for.

    Args:
        box: its index key makes the digests.
    """

    def __init__(self, box: PersonalDataBox) -> None:
        self._box = box

    def path(self, platform_no: str, pay_in_no: str) -> str:
        """Path of the cashier page of a collection; the same each time."""
        name = f"{platform_no}/{pay_in_no}"
        encoded = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
        return f"/pages/cashier/{encoded}.{self._digest(name)}"

    def read(self, token: str) -> tuple[str, str] | None:
        """Platform and collection that the last part of an address names, None for an address that we did not make."""
        encoded, _, digest = token.partition(".")
        try:
            name = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not hmac.compare_digest(self._digest(name), digest):
            return None
        platform_no, _, pay_in_no = name.partition("/")
        return platform_no, pay_in_no

    def form_token(self, platform_no: str, pay_in_no: str) -> str:
        """What a form of the page must carry."""
        return self._box.blind_index(f"{platform_no}/{pay_in_no}", field=_FORM_FIELD).hex()

    def _digest(self, name: str) -> str:
        return base64.urlsafe_b64encode(self._box.blind_index(name, field=_FIELD)).decode().rstrip("=")
