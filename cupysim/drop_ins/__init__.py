"""What the drop-ins for C programs share: options, words, sweeps, lines on standard output."""
