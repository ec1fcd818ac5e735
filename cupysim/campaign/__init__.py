"""Campaigns: data sets of many shots from one file. Finished shots are kept after any failure."""
