"""The sub-command noisify: from expected photons to the image of a real detector."""
