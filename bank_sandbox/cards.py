"""Which bank issued a card, by its first six digits, and which banks the UnionPay check takes.

The prefixes are those commonly published for each bank's debit cards (assumed; a real bank has the full table).
"""

from bank_sandbox import refusals
from bank_sandbox.channels import is_card
from bank_sandbox.refusals import Refusal

#: The fourteen banks whose cards UnionPay checks, by short name.
CHECKED_BANKS = {
    "ICBC": "工商银行",
    "ABC": "农业银行",
    "BOC": "中国银行",
    "CCB": "建设银行",
    "BOCOM": "交通银行",
    "SPDB": "浦发银行",
    "CMBC": "民生银行",
    "CITIC": "中信银行",
    "CIB": "兴业银行",
    "CEB": "光大银行",
    "BOB": "北京银行",
    "BOS": "上海银行",
    "PSBC": "邮储银行",
    "CMB": "招商银行",
}
OTHER_BANKS = {"PAB": "平安银行", "HXB": "华夏银行", "CGB": "广发银行"}
OWN_BANK = "PAB"

PREFIXES = {
    "ICBC": ("622202", "621226"),
    "ABC": ("622848", "622845"),
    "BOC": ("621661", "621660"),
    "CCB": ("621700", "622700"),
    "BOCOM": ("622260", "622262"),
    "SPDB": ("622521", "622522"),
    "CMBC": ("622622", "622617"),
    "CITIC": ("621771", "622696"),
    "CIB": ("622909", "622908"),
    "CEB": ("622662", "622660"),
    "BOB": ("622163", "621468"),
    "BOS": ("622892", "621050"),
    "PSBC": ("621799", "622188"),
    "CMB": ("622588", "621485"),
    "PAB": ("621626", "622298"),
    "HXB": ("622630", "622631"),
    "CGB": ("622568", "621462"),
}
_BANK_OF_PREFIX = {prefix: bank for bank, prefixes in PREFIXES.items() for prefix in prefixes}

#: UnionPay's published test identity: its card is taken whatever bank its prefix belongs to.
TEST_CARD = "6216261000000000018"
TEST_NAME = "全渠道"
TEST_ID_NO = "341126197709218366"
TEST_MOBILE = "13552535506"
TEST_CODE = "111111"


def bank_of(card_no: str) -> str:
    """Short name of the card's bank.

    Raises:
        Refusal: no card number, or nobody's prefix.
    """
    if not is_card(card_no):
        raise Refusal(refusals.ACCOUNT_NO, "this is no card number")
    bank = _BANK_OF_PREFIX.get(card_no[:6])
    if bank is None:
        raise Refusal(refusals.CARD_BANK, "no bank known here issues cards of this prefix")
    return bank
