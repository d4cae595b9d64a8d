"""Answers: sentences chosen from passages, each quoted word for word and verified."""
