"""Pictures of pages: drawn from the originals in processes apart, and kept."""
