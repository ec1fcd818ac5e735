# Sourced by demo and test: makes .venv in the project's folder and installs into it.
# usage: make_environment EXTRAS   (EXTRAS like "" or "[dev]")
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

make_environment() {
    local python=${PYTHON:-python3}
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "cupysim needs Python 3.11 or newer; name one with PYTHON=/path/to/python3" >&2
        exit 1
    fi
    if [ -L .venv ]; then
        echo ".venv is a link; installing would change the environment of another folder" >&2
        exit 1
    fi
    if [ ! -x .venv/bin/python ]; then
        echo "making .venv ..." >&2
        if ! "$python" -m venv .venv; then
            rm -rf .venv
            echo "python3 cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    echo "installing cupysim$1 into .venv ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".$1"
}
