"""Sentences: each is understood as its example says, names are those of the story, and the nearest are suggested."""

import inspect
from pathlib import Path

import pytest

from escrow.testing.sentences import SENTENCES, NoSuchSentence, Sentence, understood
from escrow.testing.story_file import StoryFileError, read_story_file

STORY = """\
title: A story
members:
  owner: 王小明
  second owner: 李建国, CMB
  contractor: 精工装饰有限公司, company
  kitchen fitter: 橱柜安装店, sole trader
contracts:
  kitchen:
    price: 90,000.00
    contractor: kitchen fitter
    milestones:
      - 定金 30% at start
      - 水电 plumbing 30% on acceptance
      - 泥木 40% on acceptance
  bathroom:
    price: 186,000.00
story:
  - owner pays
"""


def story(tmp_path: Path, text: str = STORY) -> Path:
    path = tmp_path / "a.story.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("known", SENTENCES, ids=lambda known: known.template)
def test_a_sentences_example_is_understood_as_that_sentence(known: Sentence, tmp_path: Path) -> None:
    names = read_story_file(story(tmp_path)).names
    text = known.example.replace("the order", "kitchen") if known.template == "{order} is {word}" else known.example
    spoken = understood(text, names)
    assert spoken.sentence is known
    assert {"tale", *spoken.values} == set(inspect.signature(known.act).parameters)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("owner pays", {"who": "owner", "order": "kitchen"}),
        ("second owner pays bathroom", {"who": "second owner", "order": "bathroom"}),
        ("owner  pays   kitchen and bathroom together", {"who": "owner", "orders": ["kitchen", "bathroom"]}),
        ("owner completes 水电 plumbing", {"who": "owner", "milestone": "水电 plumbing", "order": "kitchen"}),
        (
            "kitchen fitter completes 水电 of kitchen",
            {"who": "kitchen fitter", "milestone": "水电", "order": "kitchen"},
        ),
        ("contractor can withdraw 53,010.00", {"who": "contractor", "amount": 5_301_000}),
        ("owner has had no SMS", {"who": "owner", "count": 0}),
        ("1 day passes", {"count": 1}),
        ("7 days pass", {"count": 7}),
        ("platform withdraws everything", {"who": "platform"}),
        ("the next refund suffers timeout booked", {"word": "refund", "scenario": "timeout_booked"}),
    ],
)
def test_a_line_says_what_it_says(line: str, values: dict[str, object], tmp_path: Path) -> None:
    assert understood(line, read_story_file(story(tmp_path)).names).values == values


def test_a_line_may_expect_a_refusal(tmp_path: Path) -> None:
    spoken = understood("owner pays kitchen is refused: order_state", read_story_file(story(tmp_path)).names)
    assert (spoken.values["order"], spoken.refused_with) == ("kitchen", "order_state")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("owner buys a house", "is no sentence that stories know; the nearest are:\n"),
        ("contractor completed 水电", "\n    contractor completes 水电"),
        ("landlord pays", "there is no member 'landlord': there are owner, second owner, contractor, kitchen fitter"),
        ("ovner pays", "did you mean owner?"),
        ("owner pays garage", "there is no order 'garage'"),
        ("contractor completes 油漆", "there is no milestone '油漆'"),
        ("owner transfers 1,00.00", "Write the amount in yuan"),
        ("owner transfers much", "Write the amount in yuan"),
        ("rail swift is down", "there is no rail 'swift'"),
        ("some days pass", "'some'"),
    ],
)
def test_a_line_that_is_none_is_told_what_comes_near(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(NoSuchSentence) as wrong:
        understood(line, read_story_file(story(tmp_path)).names)
    assert said in str(wrong.value)


def test_what_a_file_leaves_out_is_the_usual(tmp_path: Path) -> None:
    terms = read_story_file(story(tmp_path))
    bathroom = terms.contracts["bathroom"]
    assert (bathroom.owner, bathroom.contractor, len(bathroom.stages), terms.begins) == ("owner", "contractor", 5, "")
    assert (terms.members["second owner"].bank, terms.members["kitchen fitter"].kind) == ("CMB", "sole_trader")
    assert terms.lines == [(18, "owner pays")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: A story\n", "", ":1: the story lacks `title`"),
        ("李建国, CMB", "李建国, a rich person", ":4: 'a rich person': say person"),
        ("90,000.00", "90.000", ":9: `price`: Write the amount"),
        ("contractor: kitchen fitter", "contractor: landlord", ":10: `contractor`: there is no member 'landlord'"),
        ("水电 plumbing 30% on acceptance", "水电 30%", ":13: a milestone is one line such as"),
        ("泥木 40%", "泥木 50%", ":9: The shares add up to 110 %"),
        ("  - owner pays", "  - [owner, pays]", ":18: a line of the story is one sentence"),
        ("story:", "platform:\n  reminder_hours: 0\nstory:", ":18: reminder_hours: "),
        ("story:", "platform:\n  colour: red\nstory:", ":18: colour: "),
        ("story:", "contract:\n  price: 1.00\nstory:", ":8: say either `contract` or `contracts`"),
        ("  owner:", "  业主:", ":3: a name of members is made of Latin letters"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StoryFileError) as wrong:
        read_story_file(story(tmp_path, STORY.replace(old, new)))
    assert f"{tmp_path / 'a.story.yaml'}{said}" in str(wrong.value)
