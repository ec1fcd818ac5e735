"""Campaigns: data sets of many shots from one file. Finished shots survive any failure."""
