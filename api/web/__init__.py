"""The pages that people see: one module a room, in French and English."""
