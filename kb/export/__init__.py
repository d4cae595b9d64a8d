"""Exports: quotes with their sources as a document to write on, or as a bibliography."""
