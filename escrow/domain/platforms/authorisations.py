"""Who authorises what: for each operation whether the platform vouches, or the member proves itself at our side."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: How a party is recognised for which its platform vouches.
PLATFORM_KEY = "platform_key"


class AuthorisationMethod(StrEnum):
    """How the party of an operation is recognised.

    - `none`: the platform vouches for it with its key.
    - `payment_password`: the member enters it on a hosted page that the platform cannot read.
    - `sms_code`: the member proves that it holds the registered mobile.
    """

    NONE = "none"
    PAYMENT_PASSWORD = "payment_password"  # noqa: S105 - the name of a method, not a password
    SMS_CODE = "sms_code"


class AuthorisedOperation(StrEnum):
    """Operations that can need an authorisation. Names are those of the fields of `Authorisation`."""

    PAY = "pay"
    START = "start"
    COMPLETE = "complete"
    ACCEPT = "accept"
    RECTIFY = "rectify"
    CANCEL = "cancel"
    DIRECT_PAYMENT = "direct_payment"
    UNGUARANTEED_PAYMENT = "unguaranteed_payment"
    BATCH_PAYMENT = "batch_payment"
    WITHDRAW = "withdraw"
    PLATFORM_WITHDRAW = "platform_withdraw"
    BIND_ACCOUNT = "bind_account"
    UNBIND_ACCOUNT = "unbind_account"
    SIGN_MANDATE = "sign_mandate"
    CLOSE_MEMBER = "close_member"


_NONE = AuthorisationMethod.NONE


class Authorisation(BaseModel):
    """The method that each operation needs; `none` by default, but for the platform's own money.

    Raises:
        pydantic.ValidationError: `platform_withdraw` is anything but `sms_code`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pay: AuthorisationMethod = Field(default=_NONE, description="Owner pays an order from its balance.")
    start: AuthorisationMethod = Field(default=_NONE, description="Contractor starts to work.")
    complete: AuthorisationMethod = Field(default=_NONE, description="Contractor reports a stage complete.")
    accept: AuthorisationMethod = Field(default=_NONE, description="Owner accepts a stage.")
    rectify: AuthorisationMethod = Field(default=_NONE, description="Owner asks for rectification.")
    cancel: AuthorisationMethod = Field(default=_NONE, description="Either side cancels.")
    direct_payment: AuthorisationMethod = Field(default=_NONE, description="Owner pays through a collection method.")
    unguaranteed_payment: AuthorisationMethod = Field(default=_NONE, description="Payer pays a payee at once.")
    batch_payment: AuthorisationMethod = Field(default=_NONE, description="Payer pays a list of orders.")
    withdraw: AuthorisationMethod = Field(default=_NONE, description="Member withdraws.")
    platform_withdraw: AuthorisationMethod = Field(
        default=AuthorisationMethod.SMS_CODE,
        description="The platform withdraws its own money: always by a code to its contact mobile, on a hosted page.",
    )
    bind_account: AuthorisationMethod = Field(default=_NONE, description="Member binds a bank account.")
    unbind_account: AuthorisationMethod = Field(default=_NONE, description="Member unbinds a bank account.")
    sign_mandate: AuthorisationMethod = Field(default=_NONE, description="Member signs a direct-debit mandate.")
    close_member: AuthorisationMethod = Field(default=_NONE, description="Member closes its wallet.")

    @field_validator("platform_withdraw")
    @classmethod
    def _never_by_key_alone(cls, method: AuthorisationMethod) -> AuthorisationMethod:
        if method is not AuthorisationMethod.SMS_CODE:
            raise ValueError("must be sms_code: a platform's key alone never takes the platform's own money out")
        return method

    def method_of(self, operation: AuthorisedOperation) -> AuthorisationMethod:
        """The method that an operation needs."""
        method: AuthorisationMethod = getattr(self, operation.value)
        return method
