"""Calls for proposals: their status, how they are found, followed and told of."""
