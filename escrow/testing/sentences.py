"""All sentences that stories know."""

from escrow.testing import sentences_money, sentences_truth, sentences_work
from escrow.testing.grammar import SENTENCES, NoSuchSentence, Sentence, Spoken, understood

__all__ = [
    "SENTENCES",
    "NoSuchSentence",
    "Sentence",
    "Spoken",
    "sentences_money",
    "sentences_truth",
    "sentences_work",
    "understood",
]
