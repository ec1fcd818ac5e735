"""The sub-command nonbragg: scattering of amorphous matter from a table of structure factors."""
