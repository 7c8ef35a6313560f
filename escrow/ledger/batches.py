"""The shape in which postings travel to `post_batch`: flat lists whose rows name each other by position from 1."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from escrow.domain.money.accounts import AccountKey
from escrow.domain.money.journal import Change, JournalEntry, Posting
from escrow.domain.requests import content_hash

_Row = dict[str, Any]
_Deadline = tuple[str, str]
_Object = tuple[str, str, str]
_LISTS = (
    "postings", "accounts", "lines", "objects", "events", "deadlines", "claims", "bases", "stands_on", "counters",
    "answered",
)  # fmt: skip


def batch_document(postings: Sequence[Posting]) -> str:
    """JSON text for `post_batch`; distinct accounts and objects are listed once, with the changes already merged."""
    batch = _Batch()
    for number, posting in enumerate(postings, start=1):
        batch.add(number, posting)
    return to_json(batch.lists).decode()


def deadlines_moved(posting: Posting) -> set[_Deadline]:
    """The deadlines that a posting arms or removes."""
    return {
        (posting.platform_no, f"{change.object_kind}/{change.object_no}/{change.name}") for change in posting.deadlines
    }


def deadlines_stood_on(posting: Posting) -> set[_Deadline]:
    """The deadlines that a posting has as its basis.

    A batch checks every basis before it changes any deadline, so a posting must not share one with an earlier
    posting that moves the deadline it stands on.
    """
    return {(posting.platform_no, basis.reference) for basis in posting.bases if basis.kind == "deadline"}


def objects_written(posting: Posting) -> set[_Object]:
    """The objects that a posting changes."""
    return {(posting.platform_no, change.kind, change.object_no) for change in posting.changes}


def objects_stood_on(posting: Posting) -> set[_Object]:
    """The objects whose versions a posting stands on.

    A batch compares all versions before it changes any object, so such a posting shares none with another that
    changes what it has read.
    """
    return {(posting.platform_no, read.kind, read.object_no) for read in posting.stands_on}


class _Batch:
    """Collects the lists while postings are added."""

    def __init__(self) -> None:
        self.lists: dict[str, list[_Row]] = {name: [] for name in _LISTS}
        self._accounts: dict[AccountKey, int] = {}
        self._objects: dict[tuple[str, str, str], _Row] = {}
        self._deadlines: dict[tuple[str, str, str, str], _Row] = {}

    def add(self, number: int, posting: Posting) -> None:
        entry = posting.entry
        self.lists["postings"].append(
            {
                "n": number,
                "platform_no": posting.platform_no,
                "request_no": posting.request_no,
                "content_hash": content_hash(posting.content),
                "occurred_at": posting.occurred_at.isoformat() if posting.occurred_at else None,
                "recipe": entry.recipe if entry else None,
                "bank_serial_no": (entry and entry.bank_serial_no) or "",
                "effective_date": entry.effective_date.isoformat() if entry and entry.effective_date else None,
                "answer": None if posting.answer is None else dict(posting.answer),
                "day": posting.accounting_day.isoformat() if posting.accounting_day else None,
            }
        )
        if entry is not None:
            self._add_lines(number, entry)
        for change in posting.changes:
            self._add_change(number, posting.platform_no, change)
        for deadline in posting.deadlines:
            key = (posting.platform_no, deadline.object_kind, deadline.object_no, deadline.name)
            row = dict(zip(("platform_no", "object_kind", "object_no", "name"), key, strict=True))
            if key not in self._deadlines:
                self._deadlines[key] = row
                self.lists["deadlines"].append(row)
            self._deadlines[key]["due_at"] = deadline.due_at.isoformat() if deadline.due_at else None
        self.lists["claims"] += [{"posting": number, "name": name} for name in posting.claims]
        self.lists["stands_on"] += [
            {"posting": number, "kind": read.kind, "object_no": read.object_no, "version": read.version}
            for read in posting.stands_on
        ]
        self.lists["counters"] += [
            {
                "posting": number,
                "name": use.name,
                "add_fen": use.add_fen,
                "maximum_fen": use.maximum_fen,
                "limit": use.limit,
            }
            for use in posting.counters
        ]
        consents = [basis.reference for basis in posting.bases if basis.kind == "consent"]
        self.lists["answered"] += [
            {"posting": number, "consent_no": consent_no} for consent_no in (*consents, *posting.answers)
        ]
        for basis in posting.bases:
            self.lists["bases"].append(
                {
                    "posting": number,
                    "kind": basis.kind,
                    "reference": basis.reference,
                    "operation_hash": basis.operation_hash or "",
                }
            )

    def _add_lines(self, number: int, entry: JournalEntry) -> None:
        for line in entry.lines:
            self.lists["lines"].append(
                {
                    "n": len(self.lists["lines"]),
                    "posting": number,
                    "account": self._account_number(line.account),
                    "amount_fen": line.amount_fen,
                }
            )

    def _account_number(self, key: AccountKey) -> int:
        number = self._accounts.get(key)
        if number is None:
            number = self._accounts[key] = len(self._accounts) + 1
            self.lists["accounts"].append(
                {
                    "n": number,
                    "platform_no": key.platform_no,
                    "member_no": key.member_no,
                    "purpose": key.purpose.value,
                    "ref": key.ref,
                    "min_balance_fen": key.min_balance_fen,
                }
            )
        return number

    def _add_change(self, number: int, platform_no: str, change: Change) -> None:
        key = (platform_no, change.kind, change.object_no)
        merged = self._objects.get(key)
        if merged is None:
            merged = self._objects[key] = {
                "n": len(self._objects) + 1,
                "platform_no": platform_no,
                "kind": change.kind,
                "object_no": change.object_no,
                "body": {},
                "replaces": False,
                "changes": 0,
                "new_nth": 0,
            }
            self.lists["objects"].append(merged)
        merged["status"] = change.status
        merged["body"] = dict(change.body) if change.replaces else {**merged["body"], **change.body}
        merged["replaces"] = merged["replaces"] or change.replaces
        merged["changes"] += 1
        if change.must_be_new:
            merged["new_nth"] = merged["changes"]
        self.lists["events"].append(
            {
                "posting": number,
                "object": merged["n"],
                "nth": merged["changes"],
                "event_type": change.event_type,
                "status": change.status,
                "body": dict(change.body if change.event is None else change.event),
            }
        )
