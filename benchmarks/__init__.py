"""What is timed, how, and the results."""
