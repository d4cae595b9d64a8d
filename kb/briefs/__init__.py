"""Briefs: quotes that somebody selected, in their order, with their own words between them."""
