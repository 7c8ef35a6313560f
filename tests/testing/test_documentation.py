"""The testers' documentation: both languages say the same, its sentences are those of the table, its examples run."""

import re
from pathlib import Path
from typing import Any

import pytest

from escrow.testing.client import Escrow
from escrow.testing.sentences import SENTENCES, sentence_table, understood
from escrow.testing.story_file import read_story_file

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, CHINESE = ((DOCS / name).read_text(encoding="utf-8") for name in ("testing.md", "testing.zh-CN.md"))


def block(name: str) -> str:
    found = re.search(rf"^<!-- {name} -->\n```\w+\n(.*?)^```", ENGLISH, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no example {name}"
    return found[1]


@pytest.mark.parametrize(("language", "text"), [("en", ENGLISH), ("zh", CHINESE)])
def test_the_sentences_are_those_of_the_table(language: str, text: str) -> None:
    shown = re.search(r"^<!-- sentences -->\n(.*)^<!-- end of sentences -->", text, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1] == sentence_table(language), f"write it anew: python -m escrow.testing.sentences {language}"
    assert all(f"| `{one.template}` |" in shown[1] for one in SENTENCES)


def test_both_languages_have_the_same_headings_and_examples() -> None:
    levels = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in (ENGLISH, CHINESE)]
    blocks = [re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL) for text in (ENGLISH, CHINESE)]
    rows = [len(re.findall(r"^\|", text, re.MULTILINE)) for text in (ENGLISH, CHINESE)]
    assert levels[0] == levels[1]
    assert blocks[0] == blocks[1]
    assert rows[0] == rows[1]


def test_the_first_story_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "first.story.yaml"
    path.write_text(block("first story"), encoding="utf-8")
    terms = read_story_file(path)
    assert [understood(text, terms.names).refused_with for _, text in terms.lines] == [None] * len(terms.lines)


async def test_the_example_of_the_fixtures_runs(escrow: Escrow) -> None:
    names: dict[str, Any] = {}
    exec(block("fixtures"), names)
    await names["test_silence_is_acceptance"](escrow)


async def test_the_example_of_a_workflow_test_runs() -> None:
    names: dict[str, Any] = {}
    exec(block("workflow test"), names)
    await names["test_a_day_passes_in_a_moment"]()
