#!/bin/sh
# Makes the virtual environment and installs OpenAMI into it: install.sh VENV [dev]. Says plainly what a bare machine lacks.
set -eu
venv=$1
group=${2:-}
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null 2>&1; then
    say "Found no $python. OpenAMI needs Python 3.11 or newer: on Debian, 'apt install python3 python3-venv'."
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "Found $("$python" --version). OpenAMI needs Python 3.11 or newer; name another one with 'make PYTHON=python3.12 ...'."
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    say "This Python cannot make virtual environments: on Debian, 'apt install python3-venv'."
    exit 1
fi
if [ ! -x "$venv/bin/python" ]; then
    say "Making the environment in $venv (once)."
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
# uv installs in seconds; where it cannot be had, pip does the same in half a minute.
if [ ! -x "$venv/bin/uv" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1 || true
fi
say "Installing OpenAMI${group:+ and its tools} (once; a minute on a slow line)."
if [ -x "$venv/bin/uv" ]; then
    "$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" -e . ${group:+--group "$group"}
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e . ${group:+--group "$group"}
fi
# A landscape is six processes: each starts in half of the time when nothing has to be compiled first.
"$venv/bin/python" -m compileall -q src
"$venv/bin/python" tools/compile_loops.py
if [ -n "$group" ] && ! command -v chromium >/dev/null 2>&1; then
    # The console is tested in a real browser. Root on Debian gets it here; others are told.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing Chromium for the browser tests (once)."
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
            say "Chromium could not be installed: the browser tests will be skipped."
    else
        say "Found no chromium: the browser tests will be skipped. To run them, 'sudo apt install chromium'."
    fi
fi
if [ -n "$group" ] && [ ! -x /usr/sbin/mosquitto ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # Some tests of the collector speak to this MQTT broker where it is; all others to one from a wheel.
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends mosquitto; } >/dev/null 2>&1 ||
        say "mosquitto could not be installed: its tests will be skipped."
fi
