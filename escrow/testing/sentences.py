"""All sentences that stories know; `python -m escrow.testing.sentences` prints them as the documentation has them."""

import sys

from escrow.testing import sentences_money, sentences_truth, sentences_work
from escrow.testing.grammar import SENTENCES, NoSuchSentence, Sentence, Spoken, understood

__all__ = ["SENTENCES", "NoSuchSentence", "Sentence", "Spoken", "sentence_table", "understood"]

_PARTS = (
    (sentences_money, "Money comes in, is paid, and goes out", "资金：入金、支付、提现"),
    (sentences_work, "The work, time, the bank, and our own machines", "施工、时间、银行、自己的机器"),
    (sentences_truth, "What must be true", "应当成立的事实"),
)


def sentence_table(language: str) -> str:
    """All sentences in Markdown, `en` or `zh`, in the order of the modules."""
    chinese = language == "zh"
    lines = []
    for module, title, title_zh in _PARTS:
        lines += [f"**{title_zh if chinese else title}**", ""]
        lines += ["| 句子 | 例 | 含义 |" if chinese else "| sentence | example | meaning |", "|---|---|---|"]
        lines += [
            f"| `{one.template}` | `{one.example}` | {one.meaning_zh if chinese else one.meaning} |"
            for one in SENTENCES
            if one.act.__module__ == module.__name__
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(sentence_table((sys.argv[1:] or ["en"])[0]))
