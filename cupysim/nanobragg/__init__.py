"""The drop-in program: options, their completion, reports and files as nanoBragg has them."""
