"""Which search attributes a Temporal server knows: they are for operators, and a process must run without them too."""

from datetime import timedelta

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, RPCError
from temporalio.common import TypedSearchAttributes
from temporalio.service import RPCStatusCode

#: A server without the operator's service, or one that keeps it from us, has no attributes for us.
_NOT_OFFERED = frozenset({RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED})


class KnownAttributes:
    """The attributes that are registered at the server, asked for with the first use.

    Args:
        answer: how long the server may take to say it.
    """

    def __init__(self, client: Client, *, answer: timedelta) -> None:
        self._client = client
        self._answer = answer
        self._registered: frozenset[str] | None = None

    async def among(self, attributes: TypedSearchAttributes) -> TypedSearchAttributes:
        """Those that the server knows.

        Raises:
            RPCError: it does not answer.
        """
        if self._registered is None:
            request = ListSearchAttributesRequest(namespace=self._client.namespace)
            try:
                answer = await self._client.operator_service.list_search_attributes(request, timeout=self._answer)
            except RPCError as error:
                if error.status not in _NOT_OFFERED:
                    raise
                self._registered = frozenset()
            else:
                self._registered = frozenset(answer.custom_attributes)
        return TypedSearchAttributes([pair for pair in attributes if pair.key.name in self._registered])
