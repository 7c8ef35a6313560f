"""Parts that the bodies of several endpoints share: numbers, amounts, times, pages."""

from typing import Annotated

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from escrow.domain.requests import PLATFORM_NUMBER_PATTERN

#: A number, or nothing for the beginning of a list.
PAGE_PATTERN = PLATFORM_NUMBER_PATTERN.replace("^", "^(").replace("$", ")?$")


class Body(BaseModel):
    """Base of everything a caller sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class View(BaseModel):
    """Base of everything we answer."""

    model_config = ConfigDict(frozen=True)


Number = Annotated[
    str,
    Field(
        pattern=PLATFORM_NUMBER_PATTERN,
        description="Number given by the platform: letters, digits, `_`, `.` and `-`, at most 64.",
    ),
]

PathNumber = Annotated[str, Path(pattern=PLATFORM_NUMBER_PATTERN, description="The object's number.")]

#: One line for people: no control characters, which the ledger's JSON could not hold.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]

RequestNumber = Annotated[
    str,
    Field(
        pattern=PLATFORM_NUMBER_PATTERN,
        description="The caller's number of this command, unique per platform for ever. Once it has succeeded, "
        "the same number with the same content is answered as the first time; with other content it is refused.",
        examples=["R-20260301-0001"],
    ),
]

AmountFen = Annotated[
    int, Field(gt=0, le=2**63 - 1, strict=True, description="Amount in fen (1/100 yuan).", examples=[18_600_000])
]

BalanceFen = Annotated[int, Field(description="Amount in fen (1/100 yuan).")]

Time = Annotated[AwareDatetime, Field(description="RFC 3339 with offset.", examples=["2026-03-01T09:30:00+08:00"])]


class PageQuery(Body):
    """Which part of a list: what comes after the last number already read."""

    after: str = Field(
        default="", pattern=PAGE_PATTERN, description="The last number already read; empty for the first page."
    )
    limit: int = Field(default=50, ge=1, le=200, description="At most so many.")
