"""Many shots from one file, which survive whatever ends the program."""
