"""Operators: people of the institution, each with a key of its own, so that two of them can be told apart."""

import hashlib
import secrets

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from escrow.domain.errors import Refused
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import transaction
from escrow.registry.platforms.operator_tables import OperatorKeyRow

_KEY_PREFIX = "op_"


class Operators:
    """Issues and knows the keys of operators.

    Args:
        recorder: the ledger's connections.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def add(self, operator_no: str) -> str:
        """Make an operator and answer its key, which is shown this once and kept nowhere.

        Raises:
            Refused: `object_exists`; a number is never given to a second person.
        """
        key = _KEY_PREFIX + secrets.token_urlsafe(32)
        row = {"key_sha256": _digest(key), "operator_no": operator_no, "created_at": func.now()}
        async with transaction(self._recorder) as session:
            made = await session.exec(
                insert(OperatorKeyRow).values(row).on_conflict_do_nothing().returning(col(OperatorKeyRow.operator_no))
            )
            if made.one_or_none() is None:
                raise Refused("object_exists", f"There is or was an operator {operator_no}; choose another number.")
        return key

    async def revoke(self, operator_no: str) -> None:
        """End an operator's key; ending it again changes nothing.

        Raises:
            Refused: `not_found`.
        """
        async with transaction(self._recorder) as session:
            ended = await session.exec(
                update(OperatorKeyRow)
                .where(col(OperatorKeyRow.operator_no) == operator_no)
                .values(revoked_at=text("coalesce(revoked_at, now())"))
            )
        if ended.rowcount == 0:
            raise Refused("not_found", f"There is no operator {operator_no}.")

    async def of_key(self, key: str) -> str:
        """The operator whose key this is.

        Raises:
            Refused: `operator_unknown`, no key of an operator, or one that was revoked.
        """
        query = select(OperatorKeyRow.operator_no).where(
            OperatorKeyRow.key_sha256 == _digest(key), col(OperatorKeyRow.revoked_at).is_(None)
        )
        async with self._recorder.session() as session:
            found = (await session.exec(query)).one_or_none()
        if found is None:
            raise Refused("operator_unknown", "This is no operator's key, or it was revoked.")
        return found


def _digest(key: str) -> bytes:
    # The key has 256 bits of its own, so one fast hash suffices: there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()
