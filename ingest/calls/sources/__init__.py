"""What the answers of each source mean: from JSON, CSV, YAML and pages to records of calls."""
