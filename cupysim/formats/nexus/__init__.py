"""Images in HDF5 files (NeXus definition NXmx), with the experiment and the ground truth."""

from cupysim.formats.nexus.content import Content
from cupysim.formats.nexus.reader import is_hdf5, read
from cupysim.formats.nexus.writer import write

__all__ = ["Content", "is_hdf5", "read", "write"]
