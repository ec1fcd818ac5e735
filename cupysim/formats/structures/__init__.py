"""Structure factors and unit cells from reflection files and atomic models."""
