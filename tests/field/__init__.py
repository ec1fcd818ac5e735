"""Files as other programs and people write them, and what must be understood of them."""
