"""The render plan: arrays and numbers for backends, made from experiments."""
