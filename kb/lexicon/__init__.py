"""The bilingual lexicon: learnt from parallel law, asked for the weighted terms of a question."""
