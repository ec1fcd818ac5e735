"""Rendering of the shots of a campaign: folder, processes, clusters, ground truth."""
