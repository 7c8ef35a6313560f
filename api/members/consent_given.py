"""How a platform tells that it asked its member before we ask others about it."""

from pydantic import Field, IPvAnyAddress

from api.schemas import Body, Line


class ConsentGiven(Body):
    """The member's consent to be asked about: you showed it a text, it agreed."""

    text_version: Line = Field(min_length=1, max_length=64, description="Version of the text that was shown.")
    address: IPvAnyAddress = Field(description="Network address from which the member agreed.")
