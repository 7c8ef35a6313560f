"""Where a payer's browser or wallet arrives from a link or a QR code: one page with one button."""

from html import escape

from fastapi import APIRouter, Request, Response

from bank_sandbox import collections
from bank_sandbox.books import Session
from bank_sandbox.collections import State
from bank_sandbox.gateway import bank_of
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal

router = APIRouter(prefix="/pay", include_in_schema=False)

_TITLES = {
    "ACQUIRING": "网络收单 · Online payment",
    "GATEWAY": "网关支付 · Bank gateway",
    "WECHAT_APP": "微信支付 · WeChat",
    "QR_WECHAT": "微信支付 · WeChat",
    "QR_ALIPAY": "支付宝 · Alipay",
    "QR_QQ": "QQ 钱包 · QQ Wallet",
}
_STATES = {
    State.WAITING: "等待付款 · Waiting for your payment",
    State.PROCESSING: "处理中 · Being processed",
    State.PAID: "付款成功 · Paid",
    State.CLOSED: "已关闭,请勿付款 · Closed, do not pay",
    State.FAIL: "付款失败 · Failed",
}
_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 18px/1.5 sans-serif; max-width: 26rem; margin: 2rem auto; padding: 0 1rem; text-align: center }}
.amount {{ font-size: 2.4rem; margin: .5rem 0 }}
button {{ font-size: 1.2rem; width: 100%; padding: .8rem; border: 0; border-radius: .5rem; background: #1a7f37;
  color: #fff }}
</style></head>
<body><h1>{title}</h1><p>{payee}</p><p>{subject}</p><p class="amount">¥ {amount}</p>
<p id="state" data-state="{state}">{state_text}</p>{action}</body></html>
"""
_BUTTON = '<form method="post"><button id="pay" type="submit">确认付款 · Pay</button></form>'


@router.get("/{token}")
async def show(request: Request, token: str) -> Response:
    """What is to be paid, to whom, and a button while it can be."""
    return await bank_of(request).in_session(lambda session: _page(session, token))


@router.post("/{token}")
async def pay(request: Request, token: str) -> Response:
    """Pay, once; pressing again only shows what became of it."""

    def work(session: Session) -> Response:
        row = collections.by_token(session, token)
        if row is not None:
            try:
                collections.payer_pays(session.at(row["acct_no"]), row)
            except Refusal:
                return _page(session, token, status=409)
        return _page(session, token)

    return await bank_of(request).in_session(work)


def _page(session: Session, token: str, status: int = 200) -> Response:
    row = collections.by_token(session, token)
    if row is None:
        return Response("没有这笔付款 · There is no such payment", status_code=404, media_type="text/plain")
    state = State(row["state"])
    payee = session.db.execute("SELECT title FROM custody_account WHERE acct_no = ?", (row["acct_no"],)).fetchone()
    action = _BUTTON if state is State.WAITING else ""
    if state is not State.WAITING and row["return_url"]:
        action = f'<p><a id="return" href="{escape(row["return_url"])}">返回商户 · Back to the shop</a></p>'
    content = _PAGE.format(
        title=_TITLES.get(row["method"], "付款 · Payment"),
        payee=escape(payee["title"]),
        subject=escape(row["subject"]),
        amount=yuan(row["amount_fen"]),
        state=state,
        state_text=_STATES[state],
        action=action,
    )
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}
    return Response(content, status_code=status, media_type="text/html; charset=utf-8", headers=headers)
