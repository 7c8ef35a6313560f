"""Texts of short messages: templates with named fields, which a platform may word itself."""

import string
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: A text that somebody is due is tried for so long, and then given up: later it would tell nobody anything new.
TRIED_FOR = timedelta(days=1)
NOT_SENT_IN_TIME = "it could not be sent for a day"
#: Name of the deadline that stands meanwhile.
TEXT_CLOCK = "text"

#: Ten parts of a long message, which every operator delivers as one.
_LONGEST_TEMPLATE = 500


class SmsText(StrEnum):
    """Occasions of a short message. Names are those of the fields of `SmsTexts`."""

    ORDER_REMINDER = "order_reminder"
    LARGE_WITHDRAWAL = "large_withdrawal"
    AUTHORISATION_CODE = "authorisation_code"
    REFUND_CREDITED = "refund_credited"


#: Fields that a text must carry, because it is useless or unsafe without them; and those it may carry.
_MUST: Mapping[SmsText, frozenset[str]] = MappingProxyType(
    {
        SmsText.ORDER_REMINDER: frozenset({"order_no", "milestone", "due_at"}),
        SmsText.LARGE_WITHDRAWAL: frozenset({"amount"}),
        # Who enters a code must have been told what it authorises.
        SmsText.AUTHORISATION_CODE: frozenset({"code", "operation"}),
        SmsText.REFUND_CREDITED: frozenset({"order_no", "amount"}),
    }
)
_MAY: Mapping[SmsText, frozenset[str]] = MappingProxyType(
    {
        SmsText.ORDER_REMINDER: frozenset({"milestone_name", "amount"}),
        SmsText.LARGE_WITHDRAWAL: frozenset({"withdrawal_no", "requested_at"}),
        SmsText.AUTHORISATION_CODE: frozenset({"amount", "payee", "valid_seconds"}),
        SmsText.REFUND_CREDITED: frozenset(),
    }
)


def template_problem(occasion: SmsText, template: str) -> str | None:
    """What is wrong with a template, in one sentence, or None.

    Fields are written `{name}`, without format, conversion or attribute; `{{` and `}}` are braces.
    """
    must, known = _MUST[occasion], _MUST[occasion] | _MAY[occasion]
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        return f"the template cannot be read: {error}"
    used = {name for _, name, _, _ in parts if name is not None}
    if any(name is not None and (form or conversion) for _, name, form, conversion in parts):
        return "fields are plain names in braces, without format or conversion"
    if used - known:
        return f"unknown field {sorted(used - known)[0]!r}; known are {', '.join(sorted(known))}"
    if must - used:
        return f"the field {{{sorted(must - used)[0]}}} must occur"
    return None


def _checked(occasion: SmsText) -> AfterValidator:
    def check(template: str) -> str:
        problem = template_problem(occasion, template)
        if problem is not None:
            raise ValueError(problem)
        return template

    return AfterValidator(check)


_Line = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEMPLATE, pattern=r"^[^\x00-\x1f\x7f]+$")]


class SmsTexts(BaseModel):
    """The platform's texts; an unknown field, or a missing one that must occur, is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_reminder: Annotated[_Line, _checked(SmsText.ORDER_REMINDER)] = Field(
        default="订单{order_no}第{milestone}阶段({milestone_name})已报完工，金额{amount}元。"
        "如无异议，将于{due_at}自动验收并付款；如需整改，请在此之前提出。",
        description="Shortly before silence counts as acceptance. "
        "Fields: order_no, milestone, due_at (must), milestone_name, amount.",
    )
    large_withdrawal: Annotated[_Line, _checked(SmsText.LARGE_WITHDRAWAL)] = Field(
        default="您于{requested_at}申请提现{amount}元(提现号{withdrawal_no})，已受理。如非本人操作，请立即联系平台。",
        description="A large withdrawal was accepted. Fields: amount (must), withdrawal_no, requested_at.",
    )
    authorisation_code: Annotated[_Line, _checked(SmsText.AUTHORISATION_CODE)] = Field(
        default="验证码{code}，用于{operation}，金额{amount}元，收款方{payee}，{valid_seconds}秒内有效。请勿告知他人。",
        description="One-time code of an authorisation. Fields: code, operation (must), amount, payee, valid_seconds.",
    )

    refund_credited: Annotated[_Line, _checked(SmsText.REFUND_CREDITED)] = Field(
        default="订单{order_no}的退款{amount}元无法原路退回，已记入您的子账户，可用于支付或提现。",
        description="A refund could not go back the way it was paid and is in the owner's sub-account. "
        "Fields: order_no, amount (must).",
    )

    def render(self, occasion: SmsText, **fields: str) -> str:
        """The text of an occasion with its fields filled in.

        Raises:
            KeyError: a field of the template was not given.
        """
        template: str = getattr(self, occasion.value)
        return template.format_map(fields)
