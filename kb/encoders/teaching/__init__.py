"""How the default encoder was taught: all-MiniLM-L6-v2 made to read French (its model card)."""
