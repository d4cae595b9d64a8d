"""Spans of Haystack's steps as spans of ours: which one took how long, without its content."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from haystack.tracing.tracer import Span, Tracer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span as OpenTelemetrySpan

    from kb.tracing import Tracing

# What a span may tell. Others hold what a step was given: ``haystack.pipeline.input_data`` is the
# question, also where Haystack is told not to trace content (3.4, pipeline.py).
TOLD: Final = {
    "haystack.component.name",
    "haystack.component.type",
    "haystack.component.visits",
    "haystack.pipeline.execution_mode",
}


class StepSpan(Span):
    """A span that takes the tags in ``TOLD`` and drops the others."""

    def __init__(self, span: OpenTelemetrySpan) -> None:
        self._span = span

    def set_tag(self, key: str, value: Any) -> None:
        """Take a tag if it may be told."""
        if key in TOLD:
            self._span.set_attribute(key, value)

    def set_content_tag(self, key: str, value: Any) -> None:
        """Take nothing, whatever Haystack's environment says of content."""

    def raw_span(self) -> OpenTelemetrySpan:
        """The span beneath."""
        return self._span


class PipelineTracer(Tracer):
    """Makes spans of pipelines and their steps, within that of the request they work for."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    @contextmanager
    def trace(
        self,
        operation_name: str,
        tags: dict[str, Any] | None = None,
        parent_span: Span | None = None,
    ) -> Iterator[Span]:
        """A span around a ``with`` block; its parent is the one under way."""
        del parent_span  # the pipeline runs in one thread: it is the one under way
        with self._tracing.span(operation_name, {}) as span:
            step = StepSpan(span)
            step.set_tags(tags or {})
            yield step

    def current_span(self) -> None:
        """Nothing: the query path does not ask."""
