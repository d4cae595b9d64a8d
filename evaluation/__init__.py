"""How good and how fast the knowledge base is; only the plots need more than the product does."""
