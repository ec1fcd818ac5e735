"""Which reflections contribute, where, and how many photons they bring."""
