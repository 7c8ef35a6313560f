"""How money in suspense is named in a path."""

from typing import Annotated

from fastapi import Path

CreditNumber = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$", description="The bank's serial or the channel's payment number."
    ),
]
