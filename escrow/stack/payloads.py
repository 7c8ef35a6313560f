"""How payloads travel through Temporal: pydantic, with one set of type adapters for the whole process.

The SDK makes a payload converter for every workflow and every worker, and each would build the adapters of all types
that it meets anew.
"""

from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_SHARED = PydanticPayloadConverter()


class SharedPayloadConverter(CompositePayloadConverter):
    """The pydantic converter; each of its instances is the same one inside."""

    def __init__(self) -> None:
        super().__init__(*_SHARED.converters.values())


class UnreadPayloadConverter(SharedPayloadConverter):
    """Sends as all of ours do; what comes back stays as it came, a failure's details too, and so can be anything."""

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Each payload, not decoded."""
        return [RawValue(payload) for payload in payloads]


#: For every client and worker of ours.
data_converter = DataConverter(payload_converter_class=SharedPayloadConverter)
#: For a client that asks what somebody else may answer.
unread_converter = DataConverter(payload_converter_class=UnreadPayloadConverter)
