"""Rendering the shots of a campaign: folder, processes, clusters, truth."""
