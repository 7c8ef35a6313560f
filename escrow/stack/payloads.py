"""How payloads travel through Temporal: pydantic, with one set of type adapters for the whole process.

The SDK makes a payload converter for every workflow and every worker, and each would build the adapters of all types
that it meets anew.
"""

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_SHARED = PydanticPayloadConverter()


class SharedPayloadConverter(CompositePayloadConverter):
    """The pydantic converter; each of its instances is the same one inside."""

    def __init__(self) -> None:
        super().__init__(*_SHARED.converters.values())


#: For every client and worker of ours.
data_converter = DataConverter(payload_converter_class=SharedPayloadConverter)
