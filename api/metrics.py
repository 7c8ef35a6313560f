"""Prometheus metrics of the API: calls and their duration, by endpoint and status."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class CallMetrics:
    """Counts calls under the endpoint's path template, so that no number of an object becomes a label."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "path", "status")
        self._calls = Counter("escrow_api_calls", "Calls answered", labels, registry=self._registry)
        self._seconds = Histogram(
            "escrow_api_call_duration_seconds", "Time to answer", labels[:2], registry=self._registry
        )

    def count(self, *, method: str, path: str, status: int, seconds: float) -> None:
        """Count one call that was answered after `seconds`."""
        self._calls.labels(method, path, str(status)).inc()
        self._seconds.labels(method, path).observe(seconds)

    def page(self) -> bytes:
        """Text for Prometheus."""
        return generate_latest(self._registry)


class MeasureCalls:
    """ASGI middleware that measures every HTTP call."""

    def __init__(self, app: ASGIApp, *, metrics: CallMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and measure it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        finally:
            route: Any = scope.get("route")
            self._metrics.count(
                method=scope["method"],
                path=getattr(route, "path", "unknown"),
                status=status,
                seconds=time.perf_counter() - began,
            )
