"""Asking public sources of calls over HTTP: politely, resumably, checked against their shape."""
