"""What the READMEs quote is what the code says."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_five_lines_are_those_of_the_workflow(readme: str) -> None:
    text = (_ROOT / readme).read_text()
    quoted = re.search(r"<!-- quoted from (\S+) -->\n```python\n(.*?)\n```", text, re.DOTALL)
    assert quoted is not None
    lines = [line.strip() for line in quoted[2].splitlines()]
    source = [line.strip() for line in (_ROOT / quoted[1]).read_text().splitlines()]
    assert len(lines) == 5
    assert any(source[start : start + 5] == lines for start in range(len(source)))
