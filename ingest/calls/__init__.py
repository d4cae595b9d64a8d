"""Where calls come from: saved answers of public sources, and the sources themselves."""
