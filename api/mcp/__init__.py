"""The knowledge base for assistants: one Model Context Protocol server, over stdio and HTTP."""
