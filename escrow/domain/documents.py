"""How values stand in documents: in the books, and in the payloads of processes."""

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def _read(text: str | None) -> str | None:
    return text or None


def _written(text: str | None) -> str:
    return text or ""


#: A text that may be absent: None for whoever asks, empty where it is written down, as it has always been.
OptionalText = Annotated[str | None, BeforeValidator(_read), PlainSerializer(_written, when_used="json")]
