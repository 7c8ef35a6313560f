"""The configuration document: what it refuses, and that it says which field is wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import Refused
from escrow.domain.platforms.authorisations import Authorisation, AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import BusinessModel, PlatformConfig
from escrow.domain.platforms.functions import Function, FunctionSwitches
from escrow.domain.platforms.rules import (
    require_business_model,
    require_function,
    require_limit,
    require_vouched,
    reserved_for_operators,
)
from escrow.domain.platforms.sms_texts import SmsText, SmsTexts

SELF_OPERATED = {"business_model": "self_operated", "commission_basis_points": 0}


def told(document: dict[str, Any]) -> str:
    """Where and why a document is refused."""
    with pytest.raises(ValidationError) as refused:
        PlatformConfig.model_validate(document)
    return "; ".join(
        f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in refused.value.errors(include_input=False)
    )


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"functions": {"qr_wechat": "no"}}, "functions.qr_wechat"),
        ({"functions": {"qr_code": False}}, "functions.qr_code"),
        ({"authorisation": {"accept": "fingerprint"}}, "authorisation.accept"),
        ({"authorisation": {"marry": "none"}}, "authorisation.marry"),
        (
            {"authorisation": {"platform_withdraw": "none"}},
            "authorisation.platform_withdraw: Value error, must be sms_code",
        ),
        ({"authorisation": {"platform_withdraw": "payment_password"}}, "authorisation.platform_withdraw"),
        ({"payment_methods": ["cash"]}, "payment_methods.0"),
        ({"payment_methods": ["gateway", "gateway"]}, "payment_methods"),
        ({"embedding_origins": ["https://shop.example/path"]}, "embedding_origins.0"),
        ({"embedding_origins": ["http://shop.example"]}, "embedding_origins.0"),
        ({"embedding_origins": ["https://*.example"]}, "embedding_origins.0"),
        ({"limits": {"payment_fen": 0}}, "limits.payment_fen"),
        ({"limits": {"payment_fen": 1.5}}, "limits.payment_fen"),
        ({"sms_texts": {"order_reminder": "{order_no} {milestone}"}}, "sms_texts.order_reminder"),
        ({"sms_texts": {"authorisation_code": "{code}{operation}{password}"}}, "sms_texts.authorisation_code"),
        ({"sms_texts": {"large_withdrawal": "{amount:>9}"}}, "sms_texts.large_withdrawal"),
        ({"sms_texts": {"large_withdrawal": "{amount.real}"}}, "sms_texts.large_withdrawal"),
        ({"sms_texts": {"large_withdrawal": "{amount"}}, "sms_texts.large_withdrawal"),
        ({"split_payouts_allowed": True}, "split_payouts_allowed"),
        ({"reminder_hours": 200}, "reminder_hours"),
        ({"business_model": "self_operated"}, "commission_basis_points"),
        (
            {"authorisation": {"pay": "payment_password"}, "functions": {"hosted_pages": False}},
            "authorisation.pay",
        ),
        ({"authorisation": {"withdraw": "sms_code"}, "functions": {"hosted_pages": False}}, "authorisation.withdraw"),
    ],
)
def test_a_wrong_document_is_refused_and_the_field_named(document: dict[str, Any], field: str) -> None:
    assert field in told(document)


def test_codes_by_the_api_need_no_hosted_pages() -> None:
    config = PlatformConfig.model_validate(
        {"authorisation": {"pay": "sms_code"}, "functions": {"hosted_pages": False}, "sms_codes_by_api": True}
    )
    assert config.authorisation.method_of(AuthorisedOperation.PAY) is AuthorisationMethod.SMS_CODE


def test_every_function_and_every_operation_has_its_field() -> None:
    assert set(FunctionSwitches.model_fields) == {function.value for function in Function}
    assert set(Authorisation.model_fields) == {operation.value for operation in AuthorisedOperation}
    assert set(SmsTexts.model_fields) == {occasion.value for occasion in SmsText}
    assert {method.value for method in CollectionMethod} <= {function.value for function in Function}


def test_what_a_stored_document_does_not_mention_has_its_default() -> None:
    assert PlatformConfig.model_validate({"inspection_days": 9}) == PlatformConfig(inspection_days=9)


def test_methods_that_are_off_are_not_offered_and_the_order_is_the_platforms() -> None:
    config = PlatformConfig.model_validate(
        {"payment_methods": ["qr_alipay", "gateway", "qr_wechat"], "functions": {"gateway": False}}
    )
    assert config.offered_methods == (CollectionMethod.QR_ALIPAY, CollectionMethod.QR_WECHAT)


@pytest.mark.parametrize("function", Function)
def test_each_function_can_be_switched_off_alone(function: Function) -> None:
    config = PlatformConfig.model_validate({"functions": {function.value: False}})
    with pytest.raises(Refused, match="function_off"):
        require_function(config, function)
    for other in set(Function) - {function}:
        require_function(config, other)


def test_a_platforms_own_words_are_sent_and_braces_stay_braces() -> None:
    texts = SmsTexts.model_validate({"large_withdrawal": "{{平台}} 提现{amount}元"})
    assert texts.render(SmsText.LARGE_WITHDRAWAL, amount="1.00", withdrawal_no="W-1") == "{平台} 提现1.00元"


@pytest.mark.parametrize(
    ("before", "after", "reserved"),
    [
        ({}, SELF_OPERATED, ["business_model"]),
        ({"authorisation": {"pay": "payment_password"}}, {}, ["authorisation.pay"]),
        (
            {"authorisation": {"pay": "payment_password"}},
            {"authorisation": {"pay": "sms_code"}},
            ["authorisation.pay"],
        ),
        ({}, {"sms_codes_by_api": True}, ["sms_codes_by_api"]),
        (
            {"embedding_origins": ["https://a.example"]},
            {"embedding_origins": ["https://a.example", "https://b.example"]},
            ["embedding_origins"],
        ),
        ({}, {"identity_required_for_withdrawal": False}, ["identity_required_for_withdrawal"]),
        ({"verified_account_required": True}, {}, ["verified_account_required"]),
        ({}, {"verified_account_required": True}, []),
        # The other way round, and everything else, is the platform's own business.
        ({}, {"authorisation": {"pay": "payment_password"}}, []),
        ({"sms_codes_by_api": True}, {}, []),
        ({"embedding_origins": ["https://a.example"]}, {}, []),
        ({"identity_required_for_withdrawal": False}, {}, []),
        ({}, {"functions": {"withdrawal": False}, "commission_basis_points": 300, "inspection_days": 3}, []),
    ],
)
def test_a_platforms_key_may_tighten_but_not_open(
    before: dict[str, Any], after: dict[str, Any], reserved: list[str]
) -> None:
    found = reserved_for_operators(PlatformConfig.model_validate(before), PlatformConfig.model_validate(after))
    assert found == reserved


def test_on_a_marketplace_the_platform_is_never_the_payee() -> None:
    config = PlatformConfig()
    require_business_model(config, payee_is_platform=False, commission_basis_points=500)
    with pytest.raises(Refused, match="business_model_forbids"):
        require_business_model(config, payee_is_platform=True, commission_basis_points=0)


def test_a_self_operated_platform_is_the_payee_and_takes_no_commission() -> None:
    config = PlatformConfig(business_model=BusinessModel.SELF_OPERATED, commission_basis_points=0)
    require_business_model(config, payee_is_platform=True, commission_basis_points=0)
    for payee_is_platform, commission in ((False, 0), (True, 1)):
        with pytest.raises(Refused, match="business_model_forbids"):
            require_business_model(config, payee_is_platform=payee_is_platform, commission_basis_points=commission)


def test_a_limit_is_the_highest_amount_allowed_and_none_is_no_limit() -> None:
    require_limit(None, 2**63 - 1, name="limits.payment_fen")
    require_limit(100, 100, name="limits.payment_fen")
    with pytest.raises(Refused) as refused:
        require_limit(100, 101, name="limits.payment_fen")
    assert refused.value.details == {"limit": "limits.payment_fen", "limit_fen": 100}


def test_a_key_alone_does_not_do_what_is_to_be_authorised() -> None:
    config = PlatformConfig()
    require_vouched(config, AuthorisedOperation.WITHDRAW)
    with pytest.raises(Refused, match="authorisation_required"):
        require_vouched(config, AuthorisedOperation.PLATFORM_WITHDRAW)
