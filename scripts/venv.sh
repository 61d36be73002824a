#!/bin/sh
# Makes .venv and installs the given lock files into it, unless exactly they are installed already.
set -eu

fail() {
    echo "$*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
}

# A .venv of a moved folder or a removed Python does not start, one half made has no pip.
make_venv() {
    is_new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    python=$(find_python)
    [ -n "$python" ] || fail "Parkwell needs Python 3.11 or newer, and none was found" \
        "(looked for python3, python3.13, python3.12, python3.11); name yours with make PYTHON=/path/to/python."
    echo "Making .venv with $($python --version) …"
    "$python" -m venv --clear .venv ||
        fail "$python could not make a virtual environment (on Debian: apt-get install python3-venv)."
}

for lock in "$@"; do
    stamp=.venv/.installed-$lock
    if is_new_enough .venv/bin/python && cmp -s "$lock" "$stamp"; then
        continue
    fi
    make_venv
    echo "Installing $lock (a minute or two the first time) …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$lock" ||
        fail "Installing $lock failed; the lines above say why (the first install needs a network)."
    cp "$lock" "$stamp"
done
