"""Traces for OpenTelemetry: what a request's time went to, without what was asked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

_TRACES: Final = "/v1/traces"
# A collector that is away holds up the end of the service for no longer.
_EXPORT_SECONDS: Final = 5


class Tracing:
    """Makes spans and sends them, until it is closed.

    The provider is its own and not the global one: FastAPI would send addresses with their queries
    to that.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("kb")

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, AttributeValue]) -> Iterator[Span]:
        """A span around a ``with`` block, within the one that is under way.

        Of an error it tells the type alone: a message may hold what was asked.
        """
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                from opentelemetry.trace import StatusCode  # noqa: PLC0415 -- extra

                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Send what is left, and have Haystack trace no more."""
        from haystack.tracing.tracer import disable_tracing  # noqa: PLC0415 -- heavy

        disable_tracing()
        self._provider.shutdown()


def check_installed() -> None:
    """Look for the packages that traces need.

    Raises:
        UsageError: One is not installed.
    """
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: PLC0415 -- extra
        import opentelemetry.sdk.trace  # noqa: F401, PLC0415 -- extra
    except ImportError as error:
        raise UsageError(
            f"KB_OTLP_ENDPOINT is set, but {error.name} is not installed. Install what it needs: "
            "pip install 'operation-milliard-kb[otel]'"
        ) from None


def start_tracing(endpoint: str, version: str) -> Tracing:
    """Have the steps of the query path traced, and sent to a collector (OTLP over HTTP).

    Args:
        endpoint: The collector's address, such as ``http://localhost:4318``.
        version: That of the service.

    Raises:
        UsageError: The packages that this needs are not installed.
    """
    check_installed()
    from haystack.tracing.tracer import enable_tracing  # noqa: PLC0415 -- heavy
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 -- extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 -- extra

    from kb.search.tracing import PipelineTracer  # noqa: PLC0415 -- loads Haystack

    exporter = OTLPSpanExporter(endpoint.rstrip("/") + _TRACES, timeout=_EXPORT_SECONDS)
    about = {"service.name": "operation-milliard-kb", "service.version": version}
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracing = Tracing(provider)
    enable_tracing(PipelineTracer(tracing))
    return tracing
