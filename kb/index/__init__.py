"""The vector index: derived from the system of record, kept in published generations."""
