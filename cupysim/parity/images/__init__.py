"""Images compared: how alike they are, and what the difference looks like."""
