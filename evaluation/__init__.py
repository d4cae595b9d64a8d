"""How good and how fast the knowledge base is; needs nothing that the product does not."""
