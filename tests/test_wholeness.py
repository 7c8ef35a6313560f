"""What is added is added everywhere: a command, an operation, a way to pay, a refusal. Each is named where it lacks."""

import ast
from pathlib import Path

import pytest

from api.catalogue import CATALOGUE
from api.page_texts import TEXTS
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.orders.states import OrderCommand, concerns_milestone
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.hosted_pages import PagePurpose
from escrow.testing import calls
from tests.api.documented import OPERATIONS
from workflows.order import DecorationOrder

ROOT = Path(__file__).parents[1]
#: Codes of the domain that no caller of the API is answered, and who is told instead.
INSIDE = {
    "amount_invalid": "who writes a file or a line of a story",
    "amount_not_positive": "whoever made a posting, which is a defect",
    "bank_line_differs": "the process that gave the bank's line",
    "mandate_state": "the process of the mandate",
    "not_in_transit": "the process of the withdrawal",
    "pay_in_state": "the process of the collection",
    "payment_differs": "the process that gave the channel's payment",
    "recipe_unknown": "whoever made a posting, which is a defect",
    "refund_exceeds_funding": "whoever made a posting, which is a defect",
    "refund_state": "the process of the refund",
    "too_many_certificates": "the operator who registers one",
    "unbalanced": "whoever made a posting, which is a defect",
    "withdrawal_state": "the process of the withdrawal",
}


@pytest.mark.parametrize("command", OrderCommand)
def test_a_command_to_an_order_has_its_update_its_endpoint_its_authorisation_and_its_call(
    command: OrderCommand,
) -> None:
    assert hasattr(getattr(DecorationOrder, command.value, None), "validator"), "an update of the workflow"
    assert hasattr(DecorationOrder, f"check_{command}"), "what refuses it before it enters the history"
    path = "/v1/orders/{order_no}" + ("/milestones/{number}" if concerns_milestone(command) else "") + f"/{command}"
    assert ("POST", path) in OPERATIONS
    assert command.value in {operation.value for operation in AuthorisedOperation}
    assert path in {call.path for call in vars(calls).values() if isinstance(call, calls.Call)}


def test_the_hosted_pages_have_words_for_every_command_purpose_method_and_status_in_both_languages() -> None:
    wanted = {
        *(command.value for command in OrderCommand),
        *(purpose.value for purpose in set(PagePurpose) - {PagePurpose.AUTHORISE}),
        *(f"method_{method}" for method in CollectionMethod),
        *(f"cashier_{status}" for status in CollectionStatus),
    }
    for language, texts in TEXTS.items():
        assert wanted <= set(texts), f"{language} lacks {sorted(wanted - set(texts))}"
    first, *others = (set(texts) for texts in TEXTS.values())
    assert all(texts == first for texts in others)


def refusals(folder: Path) -> set[str]:
    """Codes with which the modules of a folder refuse, as far as they stand there as texts."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Refused"), args=[ast.Constant(value=str(code)), *_]):
                    found.add(code)
    return found


def test_every_refusal_of_the_domain_is_in_the_catalogue_or_known_to_stay_inside() -> None:
    codes = refusals(ROOT / "escrow" / "domain")
    assert len(codes) > 30
    assert codes - set(CATALOGUE) == set(INSIDE)
