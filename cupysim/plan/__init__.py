"""The render plan: flat arrays and numbers, made from experiments."""
