"""Run the drop-in command: ``python -m cupysim ARGS``."""

from __future__ import annotations

import sys

from cupysim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
