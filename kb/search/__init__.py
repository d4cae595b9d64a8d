"""The query path: one Haystack pipeline from a question to ranked passages and a cited answer."""

import os

# Haystack reads it when it is imported, and only the modules here import Haystack. Set anywhere
# later, whoever imports one of them first would report its use to Haystack's makers.
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
