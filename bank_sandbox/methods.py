"""The bank's ways to collect money: caps, fees, how long they refund, and when their money reaches the account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from bank_sandbox import cards, refusals
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Health
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.workdays import SHANGHAI

#: The bank's own account that all collected money passes on its way to a custody account.
TRANSIT_ACCOUNT = "2600000000000307"
#: When the batch of a day reaches the custody account, on the day after, working day or not.
_BATCH_TIME = time(6, 0)
_BASIS_POINTS = 10_000


class Method(StrEnum):
    """The bank's own names of its collection methods."""

    ACQUIRING = "ACQUIRING"
    DIRECT_DEBIT = "DIRECT_DEBIT"
    GATEWAY = "GATEWAY"
    QUICK = "QUICK"
    WECHAT_APP = "WECHAT_APP"
    QR_WECHAT = "QR_WECHAT"
    QR_ALIPAY = "QR_ALIPAY"
    QR_QQ = "QR_QQ"


class SettlementTime(StrEnum):
    """When collected money is settled: with each payment, or in one batch the day after."""

    T_PLUS_0 = "T+0"
    T_PLUS_1 = "T+1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of one method. `net` settles less fees; else the fee is a charge of its own."""

    fee_basis_points: int
    cap_fen: int | None = None
    refund_days: int = 365
    settlement: SettlementTime = SettlementTime.T_PLUS_1
    net: bool = False


_TERMS = {
    Method.ACQUIRING: Terms(fee_basis_points=20),
    Method.DIRECT_DEBIT: Terms(fee_basis_points=0, refund_days=90, settlement=SettlementTime.T_PLUS_0),
    Method.GATEWAY: Terms(fee_basis_points=25, cap_fen=100_000_000, refund_days=180),
    Method.QUICK: Terms(fee_basis_points=35, cap_fen=5_000_000, refund_days=180),
    Method.WECHAT_APP: Terms(fee_basis_points=60, net=True),
    Method.QR_WECHAT: Terms(fee_basis_points=38, net=True),
    Method.QR_ALIPAY: Terms(fee_basis_points=38, net=True, refund_days=90),
    Method.QR_QQ: Terms(fee_basis_points=38, net=True, refund_days=90),
}


class DebitChannel(StrEnum):
    """Ways to debit an account."""

    OWN_BANK = "OWN_BANK"
    UNIONPAY_DEBIT = "UNIONPAY_DEBIT"
    NETS_DEBIT = "NETS_DEBIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitTerms:
    """What a debit channel charges a debit, and its cap for each bank it reaches; fen, None for no cap."""

    fee_fen: int
    caps_fen: Mapping[str, int | None]


_STATE_BANKS = ("ICBC", "ABC", "BOC", "CCB", "BOCOM", "PSBC")
DEBIT_TERMS = {
    DebitChannel.OWN_BANK: DebitTerms(fee_fen=0, caps_fen={cards.OWN_BANK: None}),
    DebitChannel.UNIONPAY_DEBIT: DebitTerms(
        fee_fen=100, caps_fen={bank: 5_000_000 if bank in _STATE_BANKS else 2_000_000 for bank in cards.CHECKED_BANKS}
    ),
    DebitChannel.NETS_DEBIT: DebitTerms(
        fee_fen=300,
        caps_fen={bank: 20_000_000 for bank in cards.CHECKED_BANKS if bank != "BOS"} | {cards.OWN_BANK: 20_000_000},
    ),
}


def terms(session: Session, method: Method) -> Terms:
    """Terms of a method as they are now: settlement time and netting can be set by hand."""
    usual = _TERMS[method]
    return Terms(
        fee_basis_points=usual.fee_basis_points,
        cap_fen=usual.cap_fen,
        refund_days=usual.refund_days,
        settlement=SettlementTime(session.setting(f"settlement:{method}", usual.settlement)),
        net=session.setting(f"net:{method}", str(usual.net)) == str(True),
    )


def set_settlement(session: Session, method: Method, settlement: SettlementTime, net: bool) -> None:
    """Let payments from now on be settled so; it stays across restarts."""
    session.remember(f"settlement:{method}", settlement)
    session.remember(f"net:{method}", str(net))


def health(session: Session, name: Method | DebitChannel) -> Health:
    """Health of a method or debit channel as set by hand."""
    return Health(session.setting(f"health:{name}", Health.UP))


def set_health(session: Session, name: Method | DebitChannel, state: Health) -> None:
    """Set the health of a method or debit channel; it stays across restarts."""
    session.remember(f"health:{name}", state)


def check(session: Session, method: Method, amount_fen: int) -> None:
    """Refuse what the method does not take now.

    Raises:
        Refusal: out of service, or above its cap.
    """
    if health(session, method) is Health.DOWN:
        raise Refusal(refusals.CHANNEL_DOWN, f"{method} is out of service")
    cap_fen = terms(session, method).cap_fen
    if cap_fen is not None and amount_fen > cap_fen:
        raise Refusal(refusals.OVER_CAP, f"{method} takes at most {cap_fen} fen a payment")


def check_debit(session: Session, channel: DebitChannel, bank: str, amount_fen: int) -> None:
    """Refuse what the debit channel does not take from that bank now.

    Raises:
        Refusal: out of service, does not reach the bank, or above its cap for it.
    """
    if health(session, channel) is Health.DOWN:
        raise Refusal(refusals.CHANNEL_DOWN, f"{channel} is out of service")
    caps_fen = DEBIT_TERMS[channel].caps_fen
    if bank not in caps_fen:
        raise Refusal(refusals.DEBIT_CHANNEL, f"{channel} does not reach {bank}")
    cap_fen = caps_fen[bank]
    if cap_fen is not None and amount_fen > cap_fen:
        raise Refusal(refusals.OVER_CAP, f"{channel} takes at most {cap_fen} fen a debit from {bank}")


def fee_fen(method: Method, debit_channel: str, amount_fen: int) -> int:
    """What the bank charges for a payment, in fen: a flat fee of the debit channel, else a share rounded half up."""
    if method is Method.DIRECT_DEBIT:
        return DEBIT_TERMS[DebitChannel(debit_channel)].fee_fen
    return (amount_fen * _TERMS[method].fee_basis_points + _BASIS_POINTS // 2) // _BASIS_POINTS


def settle_due_ms(session: Session, method: Method, booked_ms: int) -> int:
    """Account's time at which what was booked at `booked_ms` is settled."""
    if terms(session, method).settlement is SettlementTime.T_PLUS_0:
        return booked_ms
    day_after = moment(booked_ms).date() + timedelta(days=1)
    return int(datetime.combine(day_after, _BATCH_TIME, SHANGHAI).timestamp() * 1000)


def capabilities(session: Session) -> dict[str, object]:
    """Wire form of all methods and debit channels as they are now."""
    return {
        "at": session.now.isoformat(timespec="milliseconds"),
        "transitAcct": TRANSIT_ACCOUNT,
        "methods": [_method(session, method) for method in Method],
        "debitChannels": [_debit_channel(session, channel) for channel in DebitChannel],
    }


def _method(session: Session, method: Method) -> dict[str, object]:
    now = terms(session, method)
    return {
        "method": method,
        "cap": None if now.cap_fen is None else yuan(now.cap_fen),
        "health": health(session, method),
        "feeBasisPoints": now.fee_basis_points,
        "settlement": now.settlement,
        "net": now.net,
        "refundDays": now.refund_days,
    }


def _debit_channel(session: Session, channel: DebitChannel) -> dict[str, object]:
    fixed = DEBIT_TERMS[channel]
    caps = {bank: None if cap_fen is None else yuan(cap_fen) for bank, cap_fen in fixed.caps_fen.items()}
    return {"channel": channel, "health": health(session, channel), "fee": yuan(fixed.fee_fen), "bankCaps": caps}
