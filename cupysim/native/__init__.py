"""Compiled code for the CPU: building, finding and calling its libraries."""
