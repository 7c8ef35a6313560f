"""One look at the books for one decision: one statement, so that all it tells is of one moment.

It tells the books' time and day, the object, the consent on which the command stands, what was answered to the same
command before, and those facts that the command declares, no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

import asyncpg

from escrow.domain.decisions import (
    AssignedMoney,
    BankLineFact,
    BoundAccount,
    Command,
    Fact,
    Facts,
    GivenConsent,
    MemberFact,
    PlatformsOwn,
    Spendable,
    Stored,
    SuspendedCredit,
)
from escrow.domain.errors import Refused
from escrow.domain.money.accounts import Purpose
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.engine import Reader
from escrow.ledger.member_facts import MEMBER_FACTS, member_facts

_CONSENT = (
    "consent_no", "object_kind", "object_no", "operation", "given_by", "terms", "operation_hash", "method",
    "recorded_at", "note",
)  # fmt: skip

#: Whom a decision about an object concerns: the payer and the payee, from what was agreed or from what is asked.
_PARTIES: Mapping[str, tuple[str, str]] = {
    "order": (
        "coalesce(o.body #>> '{contract,owner_no}', c.terms ->> 'owner_no')",
        "coalesce(o.body #>> '{contract,contractor_no}', c.terms ->> 'contractor_no')",
    ),
    "withdrawal": ("coalesce(o.body ->> 'member_no', nullif(c.given_by, 'platform'))", "NULL"),
    "pay_in": ("coalesce(o.body ->> 'member_no', c.given_by)", "NULL"),
    "batch_payment": ("coalesce(o.body ->> 'payer_no', c.given_by)", "NULL"),
    "refund": ("o.body ->> 'owner_no'", "NULL"),
    "payment": ("(c.terms ->> 'member_no')", "nullif(c.terms ->> 'subject_no', '')"),
    "assignment": ("(c.terms ->> 'member_no')", "NULL"),
    "reversal": ("(c.terms ->> 'member_no')", "NULL"),
    "account_verification": ("o.body ->> 'member_no'", "NULL"),
}
#: Numbers of the orders that a batch pays.
_BATCH_ORDERS = """SELECT s.share ->> 'order_no'
    FROM jsonb_array_elements(coalesce(o.body -> 'orders', c.terms -> 'orders')) AS s(share)"""
#: Members that it concerns besides: whom the orders of a batch pay.
_BESIDES: Mapping[str, str] = {
    "batch_payment": """OR m.object_no IN (SELECT coalesce(nullif(s.share ->> 'payee_no', ''), '')
        FROM jsonb_array_elements(coalesce(o.body -> 'orders', c.terms -> 'orders')) AS s(share))"""
}
#: What something pays: kind and numbers of the objects.
_PAYS: Mapping[str, str] = {
    "pay_in": """(b.kind, b.object_no) IN (
        ('order', coalesce(o.body ->> 'order_no', c.terms ->> 'order_no')),
        ('batch_payment', coalesce(o.body ->> 'batch_no', c.terms ->> 'batch_no')))""",
    "batch_payment": f"b.kind = 'order' AND b.object_no IN ({_BATCH_ORDERS})",
}
#: Which version of the configuration is in force for it.
_CONFIG_VERSION: Mapping[str, str] = {
    "order": "coalesce((o.body #>> '{contract,config_version}')::int, c.config_version)",
    "withdrawal": "coalesce((o.body ->> 'config_version')::int, c.config_version,"
    " (SELECT max(f.version) FROM platform_config f WHERE f.platform_no = $1))",
    **dict.fromkeys(
        ("pay_in", "batch_payment"),
        "coalesce((o.body ->> 'config_version')::int, c.config_version,"
        " (SELECT max(f.version) FROM platform_config f WHERE f.platform_no = $1))",
    ),
    **dict.fromkeys(
        ("payment", "assignment", "reversal", "mandate", "member", "account_verification"),
        "coalesce(c.config_version, (SELECT max(f.version) FROM platform_config f WHERE f.platform_no = $1))",
    ),
}
#: Which money in suspense it is about.
_CREDIT_NO: Mapping[str, str] = {
    "withdrawal": "coalesce(nullif(o.body ->> 'credit_no', ''), c.terms ->> 'credit_no')",
    "assignment": "c.terms ->> 'subject_no'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredBefore:
    """A request under which a command was carried out, or that has taken its number.

    Args:
        answer: None for one of the first release, which kept none.
        by_basis: whether it is known by the basis that it used up, and not by the number that the command names.
        changed_it: whether it changed the object that was looked at, where no answer tells what it did; else False.
        follows: what it has written to follow it, as (kind, number); nothing for who decides nothing.
    """

    request_no: str
    content_hash: str
    answer: Mapping[str, Any] | None
    by_basis: bool
    changed_it: bool
    follows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentStanding:
    """Whether a consent can still be stood on, and what was answered when it was refused."""

    expires_at: datetime
    is_asked: bool
    voided_at: datetime | None
    outcome: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the books say at one moment; `at` is their time."""

    at: datetime
    stored: Stored
    facts: Facts
    before: AnsweredBefore | None
    standing: ConsentStanding | None


async def look(
    reader: Reader, kind: str, platform_no: str, object_no: str, command: Command, *, decides: bool = True
) -> Look:
    """All that deciding `command` takes.

    Args:
        decides: False for who only wants to know what became of it; then no fact is read.

    Raises:
        Refused: `platform_unknown`.
        LedgerUnavailable: the database cannot be reached.
    """
    needs = command.needs if decides else frozenset()
    basis_kind, basis = command.uses(object_no) or (None, None)
    row = await reader.row(
        _statement(kind, needs, decides),
        platform_no,
        kind,
        object_no,
        command.consent_no,
        command.own_no(object_no),
        basis_kind,
        basis,
    )
    if row is None or row["day"] is None:
        raise Refused("platform_unknown", f"Platform {platform_no} is not open.")
    return Look(
        at=row["now"],
        stored=Stored(
            platform_no=platform_no,
            object_no=object_no,
            version=row["sequence_no"] or 0,
            status=row["status"],
            body=row["body"] or {},
        ),
        facts=_facts(row, platform_no, needs),
        before=_before(row),
        standing=None
        if row["c_consent_no"] is None
        else ConsentStanding(
            expires_at=row["expires_at"], is_asked=row["is_asked"], voided_at=row["voided_at"], outcome=row["outcome"]
        ),
    )


#: What a fact is read by; `{payer}`, `{payee}` and `{config}` are those of the kind.
_FACTS: Mapping[Fact, str] = {
    Fact.BALANCES: """(SELECT jsonb_agg(jsonb_build_array(a.purpose, a.ref, a.balance_fen)) FROM account a
        WHERE a.platform_no = $1 AND a.member_no = {payer}
            AND a.purpose IN ('withdrawable', 'pending') AND a.balance_fen > 0)""",
    Fact.MEMBERS: """(SELECT jsonb_agg(jsonb_build_array(m.object_no, m.status, m.sequence_no))
        FROM business_object m
        WHERE m.platform_no = $1 AND m.kind = 'member' AND (m.object_no IN ({payer}, {payee}) {besides}))""",
    Fact.CONFIG: """(SELECT jsonb_build_object('version', f.version, 'config', f.document)
        FROM platform_config f WHERE f.platform_no = $1 AND f.version = {config})""",
    Fact.ASKED: """(SELECT jsonb_agg(to_jsonb(k) ORDER BY k.recorded_at, k.consent_no) FROM consent k
        WHERE k.platform_no = $1 AND k.object_kind = $2 AND k.object_no = $3 AND k.asked AND k.answered_at IS NULL)""",
    Fact.UNSETTLED: """EXISTS (SELECT FROM account a
        JOIN entry_line line ON line.account_id = a.id JOIN entry ON entry.id = line.entry_id
        WHERE a.platform_no = $1 AND a.member_no = {payer} AND a.purpose = 'pending' AND a.ref = d.day::text
            AND line.amount_fen > 0 AND entry.recipe NOT IN ('top_up_credited', 'order_refunded'))""",
    Fact.ACCOUNTS: """(SELECT jsonb_agg(jsonb_build_array(b.account_id, b.is_default, b.verification <> 'none',
            v.sequence_no))
        FROM bank_account b JOIN business_object v
            ON v.platform_no = b.platform_no AND v.kind = 'bank_account' AND v.object_no = b.account_id
        WHERE b.platform_no = $1 AND b.member_no = coalesce({payer}, '') AND b.unbound_at IS NULL)""",
    Fact.OWN: """(SELECT jsonb_object_agg(a.purpose, a.balance_fen) FROM account a
        WHERE a.platform_no = $1 AND a.member_no = '' AND a.ref = ''
            AND a.purpose IN ('own', 'fees', 'bank_charges'))""",
    Fact.CREDIT: """(SELECT jsonb_build_object(
            'balance_fen', coalesce((SELECT a.balance_fen FROM account a WHERE a.platform_no = $1 AND a.member_no = ''
                AND a.purpose = 'suspense' AND a.ref = s.credit_no), 0),
            'line_kind', (SELECT l.kind FROM bank_line l WHERE l.platform_no = $1 AND l.bank_serial_no = s.credit_no),
            'collected_on', (SELECT (e.recorded_at AT TIME ZONE 'Asia/Shanghai')::date
                FROM event e JOIN request q ON q.platform_no = e.platform_no AND q.request_no = e.request_no
                WHERE e.platform_no = $1 AND e.kind = 'bank_credit' AND e.object_no = s.credit_no
                    AND e.request_no = ':channel-payment:' || s.credit_no AND q.entry_id IS NOT NULL),
            'collected_for', (SELECT nullif(e.body ->> 'collected_for', '')
                FROM event e JOIN request q ON q.platform_no = e.platform_no AND q.request_no = e.request_no
                WHERE e.platform_no = $1 AND e.kind = 'bank_credit' AND e.object_no = s.credit_no
                    AND e.request_no = ':channel-payment:' || s.credit_no AND q.entry_id IS NOT NULL))
        FROM (SELECT {credit} AS credit_no) s WHERE s.credit_no IS NOT NULL)""",
    Fact.IN_TRANSIT: """(SELECT a.balance_fen FROM account a WHERE a.platform_no = $1
        AND a.member_no = o.body ->> 'member_no' AND a.purpose = 'payout' AND a.ref = $3)""",
    Fact.BANK_LINE: """(SELECT jsonb_build_object('kind', l.kind, 'amount_fen', l.amount_fen,
            'request_no', l.request_no, 'booked_at', l.booked_at, 'value_date', l.value_date)
        FROM bank_line l WHERE l.platform_no = $1 AND $6 = 'bank_line' AND l.bank_serial_no = $7)""",
    Fact.PAYS: """(SELECT jsonb_agg(jsonb_build_array(b.object_no, b.sequence_no, b.status, b.body)
            ORDER BY b.object_no)
        FROM business_object b WHERE b.platform_no = $1 AND {pays})""",
    Fact.PAYS_UNDER: """(SELECT jsonb_object_agg(f.version, f.document)
        FROM platform_config f WHERE f.platform_no = $1 AND f.version IN (
            SELECT (b.body #>> '{contract,config_version}')::int FROM business_object b
            WHERE b.platform_no = $1 AND {pays}))""",
    Fact.SUSPENDED: """(SELECT jsonb_object_agg(a.ref, a.balance_fen) FROM account a
        WHERE a.platform_no = $1 AND a.member_no = '' AND a.purpose = 'suspense' AND a.ref IN (
            SELECT p.payment ->> 'payment_no' FROM jsonb_array_elements(o.body -> 'payments') AS p(payment)))""",
    # Entries say what moved. Each reversal stands in the assignment's events under its own request.
    Fact.ASSIGNED: """(SELECT jsonb_build_object(
            'credit_no', min(a.ref) FILTER (WHERE a.purpose = 'suspense' AND n.recipe = 'suspense_assigned'),
            'member_no', min(a.member_no) FILTER (WHERE a.purpose <> 'suspense' AND n.recipe = 'suspense_assigned'),
            'assigned_fen', -sum(l.amount_fen) FILTER (WHERE a.purpose = 'suspense' AND n.recipe = 'suspense_assigned'),
            'reversed_fen', coalesce(sum(l.amount_fen)
                FILTER (WHERE a.purpose = 'suspense' AND n.recipe = 'assignment_reversed'), 0),
            'reversals', count(DISTINCT n.id) FILTER (WHERE n.recipe = 'assignment_reversed'),
            'version', max(s.sequence_no))
        FROM business_object s
        JOIN event e ON e.platform_no = s.platform_no AND e.kind = s.kind AND e.object_no = s.object_no
        JOIN request q ON q.platform_no = e.platform_no AND q.request_no = e.request_no
        JOIN entry n ON n.id = q.entry_id
        JOIN entry_line l ON l.entry_id = n.id JOIN account a ON a.id = l.account_id
        WHERE s.platform_no = $1 AND s.kind = 'assignment' AND s.object_no = c.terms ->> 'subject_no')""",
    **MEMBER_FACTS,
}
#: A request is looked up by its whole key (LATERAL, LIMIT): a plain join reads all requests of a platform until the
#: planner has statistics. Events, which are many, are looked at for repeats only.
#: Parameters: platform, kind, number; then consent, number of our own, and kind and reference of a basis, or null.
_STATEMENT = """
SELECT books_now($1) AS now, d.day, o.sequence_no, o.status, o.body,
    r.request_no, r.content_hash, r.answer, own.request_no IS NULL AS by_basis,
    CASE WHEN r.request_no IS NOT NULL AND r.answer IS NULL THEN EXISTS (
        SELECT FROM event e WHERE e.platform_no = $1 AND e.kind = $2::text AND e.object_no = $3::text
            AND e.request_no = r.request_no
    ) END AS changed_it,
    {follows} AS follows,
    c.expires_at, (c.asked AND c.answered_at IS NULL) AS is_asked, c.voided_at, c.outcome{consent}{facts}
FROM (SELECT $1::text AS platform_no) p
LEFT JOIN platform_day d ON d.platform_no = $1
LEFT JOIN business_object o ON o.platform_no = $1 AND o.kind = $2::text AND o.object_no = $3::text
LEFT JOIN consent c ON c.platform_no = $1 AND c.consent_no = $4::text
LEFT JOIN basis_use u ON u.platform_no = $1 AND u.kind = $6::text AND u.reference = $7::text
LEFT JOIN request own ON own.platform_no = $1 AND own.request_no = $5::text
LEFT JOIN LATERAL (
    SELECT q.request_no, q.content_hash, q.answer FROM request q
    WHERE q.platform_no = $1 AND q.request_no = coalesce(own.request_no, u.request_no) LIMIT 1
) r ON true
"""
#: What a repeat has to wake once more.
_FOLLOWS = """CASE WHEN r.request_no IS NOT NULL THEN (
        SELECT jsonb_agg(jsonb_build_array(f.kind, f.object_no) ORDER BY f.id)
        FROM event e JOIN event f ON f.platform_no = e.platform_no AND f.recorded_tx = e.recorded_tx
            AND f.request_no = e.request_no AND (f.kind, f.object_no) <> (e.kind, e.object_no)
        WHERE e.platform_no = $1 AND e.kind = $2 AND e.object_no = $3 AND e.request_no = r.request_no
    ) END"""


@cache
def _statement(kind: str, needs: frozenset[Fact], decides: bool) -> str:
    payer, payee = _PARTIES.get(kind, ("NULL", "NULL"))
    return (
        _STATEMENT.replace("{consent}", "".join(f", c.{name} AS c_{name}" for name in _CONSENT))
        .replace("{follows}", _FOLLOWS if decides else "NULL::jsonb")
        .replace("{facts}", "".join(f", {_FACTS[fact]} AS {fact.value}" for fact in sorted(needs)))
        .replace("{pays}", _PAYS.get(kind, "false"))
        .replace("{besides}", _BESIDES.get(kind, ""))
        .replace("{payer}", payer)
        .replace("{payee}", payee)
        .replace("{config}", _CONFIG_VERSION.get(kind, "NULL"))
        .replace("{credit}", _CREDIT_NO.get(kind, "NULL"))
    )


def _before(row: asyncpg.Record) -> AnsweredBefore | None:
    if row["request_no"] is None:
        return None
    return AnsweredBefore(
        request_no=row["request_no"],
        content_hash=row["content_hash"],
        answer=row["answer"],
        by_basis=row["by_basis"],
        changed_it=bool(row["changed_it"]),
        follows=tuple((kind, object_no) for kind, object_no in row["follows"] or ()),
    )


def _facts(row: asyncpg.Record, platform_no: str, needs: frozenset[Fact]) -> Facts:
    config = row[Fact.CONFIG.value] if Fact.CONFIG in needs else None
    return Facts(
        accounting_day=row["day"],
        consent=None if row["c_consent_no"] is None else GivenConsent(**{name: row[f"c_{name}"] for name in _CONSENT}),
        config=None if config is None else PlatformConfig.model_validate(config["config"]),
        config_version=None if config is None else config["version"],
        spendable=_spendable(row[Fact.BALANCES.value] or ()) if Fact.BALANCES in needs else None,
        members={
            number: MemberFact(status=status, version=version)
            for number, status, version in (row[Fact.MEMBERS.value] if Fact.MEMBERS in needs else None) or ()
        },
        asked=tuple(_asked(item) for item in (row[Fact.ASKED.value] if Fact.ASKED in needs else None) or ()),
        came_otherwise=row[Fact.UNSETTLED.value] if Fact.UNSETTLED in needs else None,
        accounts=tuple(
            BoundAccount(account_id=account_id, is_default=is_default, is_verified=is_verified, version=version)
            for account_id, is_default, is_verified, version in (
                (row[Fact.ACCOUNTS.value] if Fact.ACCOUNTS in needs else None) or ()
            )
        ),
        own=_own(row[Fact.OWN.value] or {}) if Fact.OWN in needs else None,
        credit=_credit(row[Fact.CREDIT.value]) if Fact.CREDIT in needs else None,
        in_transit_fen=(row[Fact.IN_TRANSIT.value] or 0) if Fact.IN_TRANSIT in needs else None,
        bank_line=_bank_line(row[Fact.BANK_LINE.value]) if Fact.BANK_LINE in needs else None,
        pays=tuple(
            Stored(platform_no=platform_no, object_no=number, version=version, status=status, body=body)
            for number, version, status, body in (row[Fact.PAYS.value] if Fact.PAYS in needs else None) or ()
        ),
        pays_under={
            int(version): PlatformConfig.model_validate(document)
            for version, document in ((row[Fact.PAYS_UNDER.value] if Fact.PAYS_UNDER in needs else None) or {}).items()
        },
        suspended_fen=(row[Fact.SUSPENDED.value] if Fact.SUSPENDED in needs else None) or {},
        assigned=_assigned(row[Fact.ASSIGNED.value]) if Fact.ASSIGNED in needs else None,
        **member_facts({fact: row[fact.value] for fact in needs & MEMBER_FACTS.keys()}),
    )


def _asked(item: Mapping[str, Any]) -> GivenConsent:
    known = {name: item[name] for name in _CONSENT}
    return GivenConsent(**{**known, "recorded_at": datetime.fromisoformat(item["recorded_at"])})


def _spendable(rows: Any) -> Spendable:
    return Spendable(
        withdrawable_fen=sum(fen for purpose, _, fen in rows if purpose == Purpose.WITHDRAWABLE),
        pending_fen_by_day={date.fromisoformat(ref): fen for purpose, ref, fen in rows if purpose == Purpose.PENDING},
    )


def _own(balances: Mapping[str, int]) -> PlatformsOwn:
    return PlatformsOwn(
        own_fen=balances.get(Purpose.OWN, 0),
        fees_fen=balances.get(Purpose.FEES, 0),
        charges_fen=max(-balances.get(Purpose.BANK_CHARGES, 0), 0),
    )


def _credit(said: Mapping[str, Any] | None) -> SuspendedCredit | None:
    if said is None:
        return None
    day = said["collected_on"]
    return SuspendedCredit(
        balance_fen=said["balance_fen"],
        line_kind=said["line_kind"],
        collected_on=None if day is None else date.fromisoformat(day),
        collected_for=said["collected_for"],
    )


def _bank_line(said: Mapping[str, Any] | None) -> BankLineFact | None:
    if said is None:
        return None
    return BankLineFact(
        **{
            **said,
            "booked_at": datetime.fromisoformat(said["booked_at"]),
            "value_date": date.fromisoformat(said["value_date"]),
        }
    )


def _assigned(said: Mapping[str, Any] | None) -> AssignedMoney | None:
    """What was moved; None where no entry of an assignment stands under that number."""
    return None if said is None or said["credit_no"] is None else AssignedMoney(**said)
