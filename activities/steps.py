"""What every step of an order or withdrawal hands to its activity: one request number, one transaction."""

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from activities.guards import require_own_workflow
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, Change, DeadlineChange, JournalEntry, Posting


class Step(BaseModel):
    """One change of one business object, with its basis; money is added by the activity through a recipe.

    Args:
        object_kind: `order` or `withdrawal`.
        request_no: derived from purpose and round, so that a repeat is recognised.
        document: top-level keys of the object's document after the step; no personal data.
        occurred_at: when it happens, as the workflow says by its books' clock; the books never believe the future.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    object_kind: str
    object_no: str
    request_no: str
    event_type: str
    status: str
    document: dict[str, Any]
    occurred_at: AwareDatetime
    bases: tuple[Basis, ...] = ()
    deadlines: tuple[DeadlineChange, ...] = ()
    is_first: bool = False

    def posting(
        self,
        *,
        entry: JournalEntry | None = None,
        content: Mapping[str, Any],
        document: Mapping[str, Any] | None = None,
        claims: tuple[str, ...] = (),
    ) -> Posting:
        """The posting of this step.

        Args:
            content: what makes this request number's content, without dates and computed splits.
            document: further keys of the object's document that only the activity knows.
            claims: what this step makes true, and no other can again.

        Raises:
            Refused: `wrong_workflow` when another workflow than the object's own asks for it, or for a clock of
                another object.
        """
        require_own_workflow(platform_no=self.platform_no, object_kind=self.object_kind, object_no=self.object_no)
        if any((clock.object_kind, clock.object_no) != (self.object_kind, self.object_no) for clock in self.deadlines):
            raise Refused("wrong_workflow", f"A step of {self.object_no} arms its own clocks only.")
        return Posting(
            platform_no=self.platform_no,
            request_no=self.request_no,
            content={
                "object": f"{self.object_kind}/{self.object_no}",
                "event_type": self.event_type,
                "bases": [f"{basis.kind}:{basis.reference}" for basis in self.bases],
                **content,
            },
            occurred_at=self.occurred_at,
            entry=entry,
            changes=(
                Change(
                    kind=self.object_kind,
                    object_no=self.object_no,
                    event_type=self.event_type,
                    status=self.status,
                    body={**self.document, **(document or {})},
                    must_be_new=self.is_first,
                ),
            ),
            deadlines=self.deadlines,
            bases=self.bases,
            claims=claims,
        )


def used_before(refusal: Refused, step: Step) -> Refused:
    """The refusal of a first step, in the words of one who starts a second object under an old number."""
    if refusal.code != "request_no_reused":
        # A new one: an error that is raised from itself is its own cause, and Temporal follows causes to their end.
        return Refused(refusal.code, refusal.message, refusal.details)
    return Refused("object_exists", f"The {step.object_kind} {step.object_no} exists already; use another number.")
