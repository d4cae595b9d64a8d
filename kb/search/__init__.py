"""The query path: one Haystack pipeline from a question to ranked passages and a cited answer."""
