"""Every error a user can meet: one root, few leaves, each with its exit code and HTTP status."""

from __future__ import annotations


class KnowledgeBaseError(Exception):
    """Something the user can mend; the message says what happened, to what, and what to do."""

    exit_code = 1
    http_status = 500
    title = "Internal error"


class UsageError(KnowledgeBaseError):
    """An option, setting or request that can't be understood."""

    exit_code = 2
    http_status = 422
    title = "Request not understood"


class NotFoundError(KnowledgeBaseError):
    """A document, version or page that is not there, or not for the caller to see."""

    exit_code = 2
    http_status = 404
    title = "Not found"


class UnreadableError(KnowledgeBaseError):
    """A file that can't be read; the others go on."""

    exit_code = 1
    http_status = 422
    title = "File can't be read"


class UnsupportedError(UnreadableError):
    """A file of a format that no reader knows, or that holds no text of its own."""


class StoreError(KnowledgeBaseError):
    """The store can't be used: locked by another run, damaged, or not writable."""

    exit_code = 3
    http_status = 503
    title = "Store not available"


class SourceError(KnowledgeBaseError):
    """A public source that can't be reached, or answers in a way that is not understood."""

    exit_code = 1
    http_status = 502
    title = "Source not available"
