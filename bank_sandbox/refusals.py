"""The bank's return codes: every definite no has one."""

ACCEPTED = "0000"
SIGNATURE = "E1001"
MALFORMED = "E1002"
CUSTODY_ACCOUNT = "E2001"
NUMBER_REUSED = "E2002"
NUMBER_CLOSED = "E2003"
CHANNEL_CLOSED = "E3001"
CHANNEL_DOWN = "E3002"
OVER_CAP = "E3003"
PAYEE_NOT_ON_CHANNEL = "E3004"
CALENDAR_UNKNOWN = "E3005"
ACCOUNT_NO = "E4001"
BANK_CODE = "E4002"
PAYEE_NAME = "E4003"
PAYEE_ACCOUNT = "E4004"
FUNDS = "E5001"
STATEMENT_DAY = "E6001"
COLLECTION_UNKNOWN = "E7001"
COLLECTION_PAID = "E7002"
COLLECTION_UNDER_WAY = "E7003"
COLLECTION_ENDED = "E7004"
COLLECTION_EXPIRY = "E7005"
REFUND_ABOVE = "E7006"
REFUND_PERIOD = "E7007"
REFUND_REFUSED = "E7008"
PAYER_REFUSED = "E7009"
PAYER_DATA = "E7010"
MANDATE = "E7011"
DEBIT_CHANNEL = "E7012"
SETTLEMENT_UNKNOWN = "E7013"
MANDATE_CAP = "E7014"
NO_CODE = "E8001"
CODE_TRIES = "E8002"
CODE_TOO_SOON = "E8003"
CARD_BANK = "E8004"
CARD_DATA = "E8005"
VERIFICATION_UNKNOWN = "E8006"
IDENTITY_NUMBER = "E9001"
SERVICE_DOWN = "E9002"


class Refusal(Exception):
    """The bank says no, for good.

    Args:
        code: one of the codes of this module.
        text: one sentence for the client's staff, without personal data.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
