"""Functions that a platform's configuration switches on or off; an endpoint of one that is off answers 403."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Function(StrEnum):
    """What can be switched. Names are those of the fields of `FunctionSwitches`.

    The methods by which money is collected carry the names that the bank's collection channels have.
    """

    OFFLINE_TRANSFER = "offline_transfer"
    ACQUIRING = "acquiring"
    DIRECT_DEBIT = "direct_debit"
    GATEWAY = "gateway"
    QUICK = "quick"
    WECHAT_APP = "wechat_app"
    QR_WECHAT = "qr_wechat"
    QR_ALIPAY = "qr_alipay"
    QR_QQ = "qr_qq"
    BALANCE_PAYMENT = "balance_payment"
    DIRECT_PAYMENT = "direct_payment"
    GUARANTEED_PAYMENT = "guaranteed_payment"
    UNGUARANTEED_PAYMENT = "unguaranteed_payment"
    BATCH_PAYMENT = "batch_payment"
    WITHDRAWAL = "withdrawal"
    IDENTITY_CHECK = "identity_check"
    MICRO_DEPOSIT = "micro_deposit"
    UNIONPAY_CHECK = "unionpay_check"
    HOSTED_PAGES = "hosted_pages"


class FunctionSwitches(BaseModel):
    """Each function on (true) or off; all are on by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    offline_transfer: bool = Field(
        default=True,
        strict=True,
        description="Transfers from bound accounts are credited to their members; off: they wait in suspense.",
    )
    acquiring: bool = Field(default=True, strict=True, description="The bank's own online acquiring.")
    direct_debit: bool = Field(default=True, strict=True, description="Direct debit under a mandate.")
    gateway: bool = Field(default=True, strict=True, description="Gateway payment at the payer's bank.")
    quick: bool = Field(default=True, strict=True, description="Quick payment with an SMS code of the payer's bank.")
    wechat_app: bool = Field(default=True, strict=True, description="WeChat in-app payment.")
    qr_wechat: bool = Field(default=True, strict=True, description="QR code for WeChat.")
    qr_alipay: bool = Field(default=True, strict=True, description="QR code for Alipay.")
    qr_qq: bool = Field(default=True, strict=True, description="QR code for QQ wallet.")
    balance_payment: bool = Field(default=True, strict=True, description="Paying from money topped up before.")
    direct_payment: bool = Field(
        default=True, strict=True, description="Paying through a collection method at the moment of paying."
    )
    guaranteed_payment: bool = Field(
        default=True, strict=True, description="Orders whose price is frozen and released by milestones."
    )
    unguaranteed_payment: bool = Field(
        default=True, strict=True, description="Payments straight to the payee's sub-account."
    )
    batch_payment: bool = Field(default=True, strict=True, description="One authorisation for a list of orders.")
    withdrawal: bool = Field(default=True, strict=True, description="Withdrawals on request, by members and platform.")
    identity_check: bool = Field(default=True, strict=True, description="Identity checks against the registry.")
    micro_deposit: bool = Field(default=True, strict=True, description="Account verification by a micro-deposit.")
    unionpay_check: bool = Field(default=True, strict=True, description="Account verification by UnionPay check.")
    hosted_pages: bool = Field(
        default=True, strict=True, description="Pages for members: cashier, payment password, authorisation."
    )

    def is_on(self, function: Function) -> bool:
        """Whether the function is switched on."""
        switched: bool = getattr(self, function.value)
        return switched
