#!/bin/sh
# How does .venv come to hold exactly what a lock names?
#
#   sh tools/environment.sh room     what serving needs (make demo)
#   sh tools/environment.sh dev      everything that working on it needs (make setup)
#
# Needs python3 >= 3.11, a POSIX shell and coreutils; no root, no compiler. Says nothing
# and changes nothing when .venv is up to date: its stamp holds the digest of the lock, of
# pyproject.toml, of the kernel's source (compiled where a C compiler is) and of this folder's
# path. Every package is checked against its hash; where packages come from is pip's own
# configuration, never written here.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'saferoom: %s\n' "$*" >&2; }
give_up() { say "$*"; exit 1; }

wanted() { { pwd -P; cat "locks/$1.lock" pyproject.toml saferoom/cage/kernel/trees.c; } | sha256sum | cut -c1-64; }

# dev.lock holds all of room.lock at the same versions (tools/check_locks.py), so it will do.
up_to_date() {
  [ -r .venv/stamp ] && .venv/bin/python -c '' 2>/dev/null || return 1
  for name in "$1" dev; do
    [ "$(cat .venv/stamp)" = "$name $(wanted "$name")" ] && return 0
  done
  return 1
}

# The newest that runs; the real file, so that .venv outlives a PATH made of links.
find_python() {
  for name in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
    "$name" - 2>/dev/null <<'PY' && return 0
import os, sys
if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
    sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
PY
  done
  give_up "no Python 3.11 or newer on PATH. Install one (Debian, Ubuntu: apt-get install python3 python3-venv)."
}

# Debian keeps ensurepip in python3-venv; another pip on the machine will do as well.
make_venv() {
  rm -rf .venv
  if "$python" -m venv .venv >/dev/null 2>&1; then
    pip=".venv/bin/python -m pip"
    return
  fi
  rm -rf .venv
  "$python" -m venv --without-pip .venv || give_up "$needs_venv"
  for wheel in /usr/share/python-wheels/pip-*.whl; do
    [ -r "$wheel" ] && pip=".venv/bin/python $wheel/pip" && return
  done
  "$python" -m pip --python .venv/bin/python --version >/dev/null 2>&1 || give_up "$needs_venv"
  pip="$python -m pip --python .venv/bin/python"
}

install() { $pip --quiet --disable-pip-version-check --no-input install --no-deps "$@"; }

case "${1:-}" in room | dev | all) ;; *) give_up "usage: tools/environment.sh room|dev|all" ;; esac
up_to_date "$1" && exit 0
python=$(find_python) || exit 1
needs_venv="$python can make no environment with pip. Run: apt-get install python3-venv"
say "setting up .venv with $python from locks/$1.lock (once; a minute or two)"
rm -f .venv/stamp
pip=".venv/bin/python -m pip"
$pip --version >/dev/null 2>&1 || make_venv
install --require-hashes -r "locks/$1.lock"
install --no-build-isolation --editable .
printf '%s %s\n' "$1" "$(wanted "$1")" >.venv/stamp.new
mv .venv/stamp.new .venv/stamp
