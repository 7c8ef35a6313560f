"""Words of the hosted pages, in Chinese and English."""

from collections.abc import Mapping
from types import MappingProxyType

from escrow.domain.hosted_pages import PageLanguage

Texts = Mapping[str, str]

_CHINESE: Texts = {
    "other_language": "English",
    "set_password": "设置支付密码",
    "change_password": "修改支付密码",
    "reset_password": "重置支付密码",
    "pay": "支付订单",
    "start": "确认开工",
    "complete": "报告完工",
    "accept": "验收并付款",
    "rectify": "要求整改",
    "cancel": "取消订单",
    "withdraw": "提现",
    "close": "注销钱包",
    "platform": "平台",
    "order": "订单",
    "withdrawal": "提现单",
    "milestone": "阶段",
    "amount": "金额",
    "payee": "收款方",
    "to_account": "到账账户",
    "member": "会员",
    "silence_clause": "付款即表示您同意：施工方报告某阶段完工后，您在{days}天内未提出异议，视为验收合格，"
    "该阶段款项将自动支付。",
    "yuan": "{amount} 元",
    "password": "支付密码",
    "old_password": "原支付密码",
    "new_password": "新支付密码",
    "repeat_password": "再次输入新密码",
    "password_hint": "6 到 64 位，不要用连续或相同的数字，也不要用手机号的一部分。",
    "code": "短信验证码",
    "code_hint": "六位数字，120 秒内有效。",
    "send_code": "发送验证码",
    "send_again": "重新发送验证码",
    "code_sent": "验证码已发送到您尾号为 {tail} 的手机。",
    "code_to": "验证码将发送到您尾号为 {tail} 的手机。",
    "confirm": "确认授权",
    "save": "保存",
    "decline": "拒绝",
    "privacy": "您在此页输入的内容，平台看不到。",
    "done": "已完成",
    "done_text": "操作已执行。",
    "saved_text": "支付密码已保存。",
    "used": "已授权",
    "used_text": "授权已记录，操作正在执行，请在平台查看结果。",
    "refused": "未能执行",
    "refused_text": "您的授权已记录，但按规则该操作不能执行，没有资金变动。请在平台查看原因。",
    "declined": "已拒绝",
    "declined_text": "您没有授权，什么也没有执行。",
    "expired": "链接已过期",
    "expired_text": "请回到平台重新发起。",
    "unknown": "链接无效",
    "unknown_text": "请回到平台重新发起。",
    "back": "返回平台",
    "problem": "没有成功",
    "payment_password_wrong": "支付密码不正确，还可以试 {tries_left} 次。",
    "payment_password_locked": "支付密码错误次数过多，已锁定 24 小时。您可以通过平台重置支付密码。",
    "payment_password_not_set": "您还没有设置支付密码。请回到平台先设置。",
    "sms_code_wrong": "验证码不正确，还可以试 {tries_left} 次。",
    "sms_code_none": "验证码已失效，请重新发送。",
    "sms_code_limit": "验证码发送次数已用完，请稍后再试。",
    "password_length": "密码须为 6 到 64 位。",
    "password_simple": "密码过于简单，请换一个。",
    "password_differs": "两次输入的新密码不一致。",
    "form_stale": "页面已失效，请重新填写。",
    "later": "系统暂时不可用，请稍后重试。",
}

_ENGLISH: Texts = {
    "other_language": "中文",
    "set_password": "Set your payment password",
    "change_password": "Change your payment password",
    "reset_password": "Reset your payment password",
    "pay": "Pay the order",
    "start": "Confirm the start of work",
    "complete": "Report a stage complete",
    "accept": "Accept the stage and release its money",
    "rectify": "Ask for rectification",
    "cancel": "Cancel the order",
    "withdraw": "Withdraw money",
    "close": "Close your wallet",
    "platform": "Platform",
    "order": "Order",
    "withdrawal": "Withdrawal",
    "milestone": "Milestone",
    "amount": "Amount",
    "payee": "Payee",
    "to_account": "To bank account",
    "member": "Member",
    "silence_clause": "By paying you agree: when the contractor reports a stage complete and you do not object within "
    "{days} days, the stage counts as accepted and its money is released.",
    "yuan": "{amount} yuan",
    "password": "Payment password",
    "old_password": "Present payment password",
    "new_password": "New payment password",
    "repeat_password": "New password again",
    "password_hint": "6 to 64 signs; no run of digits, no repeated sign, no part of your mobile number.",
    "code": "SMS code",
    "code_hint": "Six digits, valid for 120 seconds.",
    "send_code": "Send me a code",
    "send_again": "Send another code",
    "code_sent": "A code was sent to your mobile ending in {tail}.",
    "code_to": "The code goes to your mobile ending in {tail}.",
    "confirm": "Authorise",
    "save": "Save",
    "decline": "Decline",
    "privacy": "What you enter here cannot be seen by the platform.",
    "done": "Done",
    "done_text": "The operation was carried out.",
    "saved_text": "Your payment password is saved.",
    "used": "Authorised",
    "used_text": "Your authorisation is recorded and the operation is under way; the platform shows its outcome.",
    "refused": "Not carried out",
    "refused_text": "Your authorisation is recorded, but a rule does not allow the operation and no money was moved. "
    "The platform shows the reason.",
    "declined": "Declined",
    "declined_text": "You did not authorise it, and nothing was done.",
    "expired": "This link has expired",
    "expired_text": "Go back to the platform and begin again.",
    "unknown": "This link is not valid",
    "unknown_text": "Go back to the platform and begin again.",
    "back": "Back to the platform",
    "problem": "That did not work",
    "payment_password_wrong": "The payment password is wrong. Tries left: {tries_left}.",
    "payment_password_locked": "Too many wrong tries: the payment password is locked for 24 hours. "
    "You can reset it through the platform.",
    "payment_password_not_set": "You have no payment password yet. Go back to the platform and set one first.",
    "sms_code_wrong": "The code is wrong. Tries left: {tries_left}.",
    "sms_code_none": "The code is no longer valid. Have another one sent.",
    "sms_code_limit": "No more codes are sent now. Try again later.",
    "password_length": "The password must have 6 to 64 signs.",
    "password_simple": "The password is too simple. Choose another.",
    "password_differs": "The two new passwords are not the same.",
    "form_stale": "This form is out of date. Please fill it in again.",
    "later": "The service is not available just now. Please try again shortly.",
}

TEXTS: Mapping[PageLanguage, Texts] = MappingProxyType({PageLanguage.CHINESE: _CHINESE, PageLanguage.ENGLISH: _ENGLISH})


def language_of(*wishes: str, accepted: str) -> PageLanguage:
    """Language of a page: the first wish that is one, else the browser's first that we have, else Chinese.

    Args:
        accepted: the Accept-Language header; its order counts, which browsers write by preference.
    """
    for wish in (*wishes, *(part.split(";")[0].strip()[:2].lower() for part in accepted.split(","))):
        if wish in tuple(PageLanguage):
            return PageLanguage(wish)
    return PageLanguage.CHINESE
