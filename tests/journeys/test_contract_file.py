"""What is wrong in a contract file is named with its line, all of it at once."""

from pathlib import Path

import pytest

from escrow.commands.contract_file import read_contract_file
from escrow.commands.contract_nodes import ContractFileError
from escrow.domain.orders.milestones import MilestoneKind

_EXAMPLE = (Path(__file__).parents[2] / "examples" / "contract.yaml").read_text()


def written(tmp_path: Path, text: str) -> Path:
    """A contract file with this text."""
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    return path


def test_the_example_is_the_plan_that_people_sign(tmp_path: Path) -> None:
    contract = read_contract_file(written(tmp_path, _EXAMPLE))
    assert contract.order.price_fen == 18_600_000
    assert [line.amount_fen for line in contract.order.milestones] == [
        5_580_000,
        5_580_000,
        3_720_000,
        2_790_000,
        930_000,
    ]
    assert contract.order.milestones[0].kind is MilestoneKind.START
    assert contract.platform.commission_basis_points == 500
    assert contract.owner.member_no == "O-1"
    assert contract.contractor.kind == "company"
    assert contract.order.withdraw_automatically is True


@pytest.mark.parametrize(
    ("written_instead", "of", "said"),
    [
        ("owner: O-9", "owner: O-1", "there is no member O-9"),
        ("contractor: O-1", "contractor: C-1", "owner and contractor are the same member"),
        ("6222024000012345671", "6222024000012345670", "the account number is mistyped"),
        ("110101199001012028", "110101199001012029", "the ID number is mistyped"),
        ("number: D-1001 ", "number: D-1000", "is the order's number already"),
        ('"3,00.000"', '"3,000.00"', "Write the amount in yuan"),
        ("4420-1560", "44201560900052512345", "the account number is mistyped"),
        ("105100000018", "105100000017", "the CNAPS code is mistyped"),
        ('"186,00.000"', '"186,000.00"', "Write the amount in yuan"),
        ('"0.00"', '"186,000.00"', "above zero"),
        ("5.005%", "5%      ", "at most two decimals"),
        ("yes please", "yes         ", "'yes please' is not known here"),
        ("seven", "7    ", "a whole number of days"),
        ("at the start", "at start", "write one of: at start"),
        ("kind: owner", "kind: company", "'owner' is not known here"),
        ("moblie: ", "mobile: ", "did you mean `mobile`?"),
        ("number: D 1001", "number: D-1001", "cannot be a number here"),
        ('"12345"', '"13800000001"', "11 digits"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, written_instead: str, of: str, said: str) -> None:
    assert of in _EXAMPLE
    text = _EXAMPLE.replace(of, written_instead, 1)
    path = written(tmp_path, text)
    line = text[: text.index(written_instead)].count("\n") + 1
    with pytest.raises(ContractFileError) as caught:
        read_contract_file(path)
    named = [problem for problem in str(caught.value).splitlines() if problem.startswith(f"{path}:{line}:")]
    assert any(said in problem for problem in named), str(caught.value)


def test_only_a_person_has_an_id_number(tmp_path: Path) -> None:
    path = written(tmp_path, _EXAMPLE.replace("kind: person", "kind: sole trader"))
    with pytest.raises(ContractFileError, match=r"contract.yaml:\d+: only a person has a citizen ID number"):
        read_contract_file(path)


def test_a_contract_needs_no_design_before_the_work(tmp_path: Path) -> None:
    before, _, rest = _EXAMPLE.partition("design:")
    text = before + "order:" + rest.partition("\norder:")[2]
    assert read_contract_file(written(tmp_path, text)).design is None


def test_shares_that_do_not_add_up_point_at_the_milestones(tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match=r"contract.yaml:\d+: The shares add up to 105 %, not to 100 %"):
        read_contract_file(written(tmp_path, _EXAMPLE.replace("share: 20%", "share: 25%")))


def test_amounts_that_do_not_add_up_name_both_sums(tmp_path: Path) -> None:
    text = _EXAMPLE
    for share, amount in (
        ("30%", "60,000"),
        ("30%", "60,000"),
        ("20%", "30,000"),
        ("15%", "30,000"),
        ("5%\n", "5,000\n"),
    ):
        text = text.replace(f"share: {share}", f"amount: {amount}", 1)
    with pytest.raises(ContractFileError, match=r"add up to 185,000\.00 yuan, the price is 186,000\.00"):
        read_contract_file(written(tmp_path, text))


def test_all_mistakes_are_named_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = _EXAMPLE.replace("owner: O-1", "owner: O-9").replace("kind: person", "kind: human")
    with pytest.raises(ContractFileError) as caught:
        read_contract_file(written(tmp_path, text))
    lines = [int(problem.split(":")[1]) for problem in str(caught.value).splitlines()]
    assert len(lines) >= 2
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: the file is empty"),
        ("platform: [", ":1: this is not YAML"),
        ("a: 1\nb\n", ": this is not YAML"),
        ("- 1\n", ":1: the file must be a list of `key: value` lines"),
        ("platform:\n  number: P\n", ":1: the file lacks `members`, `order`"),
        (_EXAMPLE + "order: again\n", "stands twice"),
    ],
)
def test_a_file_that_is_no_contract_says_what_belongs_there(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ContractFileError) as caught:
        read_contract_file(written(tmp_path, text))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match="cannot be read"):
        read_contract_file(tmp_path / "nothing.yaml")
