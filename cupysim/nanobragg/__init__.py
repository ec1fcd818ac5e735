"""The drop-in command: options, default values, reports and files, as in nanoBragg."""
