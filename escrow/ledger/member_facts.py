"""What a decision about a member may have to know, as the one look of `escrow.ledger.loading` reads it.

In each text $1 is the platform and $3 the member, or the verification that a try was made for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from escrow.domain.decisions import Fact
from escrow.domain.members.code_checks import CodeCheck
from escrow.ledger.tables import is_unfinished

MEMBER_FACTS: Mapping[Fact, str] = {
    Fact.TRIES: """(SELECT jsonb_agg(t.outcome ORDER BY t.number) FROM verification_try t
        WHERE t.platform_no = $1 AND t.verification_no = $3 AND t.outcome <> '')""",
    Fact.DEADLINES: """(SELECT jsonb_object_agg(l.name, l.due_at) FROM deadline l
        WHERE l.platform_no = $1 AND l.object_kind = $2 AND l.object_no = $3)""",
    Fact.OPEN_CHECKS: """(SELECT jsonb_object_agg(i.check_no, i.asked_at) FROM identity_check i
        WHERE i.platform_no = $1 AND i.member_no = $3 AND i.status = 'asked')""",
    # Of each sort the first twenty. The channel of a refund may not give it back: then it is credited to the member.
    Fact.OBSTACLES: f"""jsonb_build_array(
        (SELECT jsonb_agg(jsonb_build_array(concat_ws(':', a.purpose, nullif(a.ref, '')), a.balance_fen) ORDER BY a.id)
            FROM account a WHERE a.platform_no = $1 AND a.member_no = $3 AND a.balance_fen <> 0),
        (SELECT jsonb_agg(jsonb_build_array(x.object_no, x.balance_fen)) FROM (
            SELECT r.object_no, a.balance_fen FROM account a
            JOIN business_object r ON r.platform_no = a.platform_no AND r.kind = 'order'
                AND r.body #>> '{{direct,payment_no}}' = a.ref
            WHERE a.platform_no = $1 AND a.purpose = 'refund' AND a.balance_fen <> 0
                AND r.body #>> '{{contract,owner_no}}' = $3 LIMIT 20) x),
        (SELECT jsonb_agg(x.object_no) FROM (
            SELECT r.object_no FROM business_object r
            WHERE r.platform_no = $1 AND {is_unfinished("order", "r.")}
                AND $3 IN (r.body #>> '{{contract,owner_no}}', r.body #>> '{{contract,contractor_no}}')
            ORDER BY r.object_no LIMIT 20) x),
        (SELECT jsonb_agg(x.mandate_no) FROM (
            SELECT m.mandate_no FROM mandate m
            WHERE m.platform_no = $1 AND m.member_no = $3 AND m.ended_at IS NULL ORDER BY m.mandate_no LIMIT 20) x),
        (SELECT jsonb_agg(x.object_no) FROM (
            SELECT r.object_no FROM business_object r
            WHERE r.platform_no = $1 AND {is_unfinished("withdrawal", "r.")} AND r.body ->> 'member_no' = $3
            ORDER BY r.object_no LIMIT 20) x))""",  # noqa: S608 - our own words
    Fact.LAST_PAYOUT: """(SELECT to_jsonb(max((r.body ->> 'booked_at')::timestamptz)) FROM business_object r
        WHERE r.platform_no = $1 AND r.kind = 'withdrawal' AND r.status = 'paid' AND r.body ->> 'member_no' = $3)""",
}


def member_facts(found: Mapping[Fact, Any]) -> dict[str, Any]:
    """What was found of them, as arguments of `Facts`; what was not asked for is empty."""
    last_payout = found.get(Fact.LAST_PAYOUT)
    return {
        "tries": tuple(CodeCheck(said) for said in found.get(Fact.TRIES) or ()),
        "deadlines": _moments(found.get(Fact.DEADLINES)),
        "open_checks": _moments(found.get(Fact.OPEN_CHECKS)),
        "obstacles": _obstacles(*found[Fact.OBSTACLES]) if Fact.OBSTACLES in found else (),
        "last_payout_at": None if last_payout is None else datetime.fromisoformat(last_payout),
    }


def _moments(found: Mapping[str, str] | None) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(moment) for name, moment in (found or {}).items()}


def _obstacles(
    balances: Any, refunds: Any, orders: Any, mandates: Any, withdrawals: Any
) -> tuple[Mapping[str, Any], ...]:
    return (
        *({"what": "balance", "account": account, "balance_fen": fen} for account, fen in balances or ()),
        *({"what": "refund", "order_no": number, "amount_fen": fen} for number, fen in refunds or ()),
        *({"what": "order", "order_no": number} for number in orders or ()),
        *({"what": "mandate", "mandate_no": number} for number in mandates or ()),
        *({"what": "withdrawal", "withdrawal_no": number} for number in withdrawals or ()),
    )
