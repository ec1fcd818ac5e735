"""Amorphous and polycrystalline matter by name."""
