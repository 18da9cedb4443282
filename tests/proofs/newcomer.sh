#!/bin/sh
# Does a stranger's machine get from `git clone` to a verified receipt with nothing installed?
#
#   sh tests/proofs/newcomer.sh                    with and then without a C compiler
#   sh tests/proofs/newcomer.sh without-cc         one of them; also: with-cc
#   sh tests/proofs/newcomer.sh --no-test …        all but `make test`
#
# Clones the last commit, empties the environment, makes a new HOME and a PATH of python3,
# make, git, sh and coreutils, gives up root, and then: `make demo` until it serves, the
# whole story in at most a minute, its receipts verified, `make test`. Prints seconds. Not
# part of `make test`: it runs that, and takes minutes.
set -eu

source_folder=$(cd "$(dirname "$0")/../.." && pwd -P)
user=${NEWCOMER_USER:-nobody}
story_seconds=${NEWCOMER_STORY_SECONDS:-60}
tests=yes

coreutils='[ arch b2sum base32 base64 basename basenc cat chcon chgrp chmod chown chroot cksum comm
cp csplit cut date dd df dir dircolors dirname du echo env expand expr factor false fmt fold groups
head hostid id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup
nproc numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath rm rmdir runcon
seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum
sync tac tail tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink users
vdir wc who whoami yes'

say() { printf 'newcomer: %s\n' "$*"; }
give_up() { say "$*"; exit 1; }
now() { date +%s; }

# A link to each program that exists; python3 must be one that the other user can run.
fill_path() {
  mkdir "$work/bin"
  for program in make git sh $coreutils $1; do
    found=$(PATH=/usr/local/bin:/usr/bin:/bin:$PATH command -v "$program" || true)
    case $found in /*) ln -s "$found" "$work/bin/$program" ;; esac
    [ -e "/usr/bin/$program" ] && ln -sf "/usr/bin/$program" "$work/bin/$program"
  done
  python=${PYTHON3:-/usr/bin/python3}
  [ -x "$python" ] || python=$(command -v python3)
  ln -s "$python" "$work/bin/python3"
}

# Become the newcomer: nothing of ours in the environment, and never root.
become_newcomer() {
  if [ "$(id -u)" = 0 ]; then
    exec $own_session setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
      env -i HOME="$work/home" PATH="$work/bin" "$@"
  fi
  exec $own_session env -i HOME="$work/home" PATH="$work/bin" "$@"
}

as_newcomer() { (become_newcomer "$@"); }

free_port() {
  "$work/bin/python3" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Ready means that /readyz says so: database, vault, cage, sinks.
answers() {
  "$work/bin/python3" - "$1" 2>/dev/null <<'PY'
import sys, urllib.request
base = f"http://127.0.0.1:{sys.argv[1]}"
for path in ("/readyz", "/docs", "/log/checkpoint"):
    with urllib.request.urlopen(base + path, timeout=5) as answer:
        assert answer.status == 200 and answer.read()
PY
}

make_demo_serves() {
  port=$(free_port) started=$(now)
  (own_session=setsid && become_newcomer make demo ARGS="--port $port") >"$work/demo.log" 2>&1 &
  demo=$!
  until answers "$port"; do
    kill -0 "$demo" 2>/dev/null || { tail -n 30 "$work/demo.log"; give_up 'make demo ended'; }
    [ $(($(now) - started)) -lt 900 ] || { stop_demo; give_up 'make demo does not serve'; }
    sleep 1
  done
  say "$1: make demo served after $(($(now) - started)) s"
  stop_demo
}

# As Ctrl-C does: make, the room, its vault and cages together; wait until none is left.
stop_demo() {
  kill -s TERM -- "-$demo" 2>/dev/null || true
  wait "$demo" 2>/dev/null || true
  while kill -s 0 -- "-$demo" 2>/dev/null; do sleep 1; done
  demo=
}

story_happens() {
  started=$(now)
  as_newcomer .venv/bin/saferoom demo --run --home "$work/story" >"$work/story.log" 2>&1 ||
    { tail -n 30 "$work/story.log"; give_up 'the story broke'; }
  took=$(($(now) - started))
  say "$1: the story took $took s"
  for receipt in "$work"/story/receipts/*.json; do
    as_newcomer .venv/bin/saferoom verify "$receipt" --checkpoint "$work/story/checkpoint" \
      >/dev/null || give_up 'a receipt does not verify'
    break
  done
  [ "$took" -le "$story_seconds" ] || late="$late $1"
}

tests_are_green() {
  started=$(now)
  as_newcomer make test ARGS=-rs >"$work/test.log" 2>&1 ||
    { tail -n 60 "$work/test.log"; give_up 'make test is red'; }
  say "$1: make test was green after $(($(now) - started)) s"
  tail -n 12 "$work/test.log"
}

one() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/newcomer-XXXXXX")
  case $1 in
    with-cc) fill_path 'cc gcc as ld' ;;
    without-cc) fill_path '' ;;
    *) give_up 'usage: newcomer.sh [--no-test] [with-cc] [without-cc]' ;;
  esac
  mkdir "$work/home"
  git clone --quiet "$source_folder" "$work/clone"
  [ ! -e "$work/clone/.venv" ] || give_up 'the clone brings an environment'
  chmod 755 "$work"
  [ "$(id -u)" != 0 ] || chown -R "$user:$(id -g "$user")" "$work"
  cd "$work/clone"
  [ "$1" = with-cc ] || ! as_newcomer sh -c 'command -v cc gcc' || give_up 'there is a compiler'
  make_demo_serves "$1"
  story_happens "$1"
  [ "$tests" = no ] || tests_are_green "$1"
  cd /
  rm -rf "$work"
  work=
}

own_session= demo= late= work=
finish() {
  [ -z "$demo" ] || stop_demo
  [ -z "$work" ] || say "left behind: $work"
}
trap finish EXIT
trap 'exit 1' INT TERM
if [ "${1:-}" = --no-test ]; then tests=no; shift; fi
[ $# -gt 0 ] || set -- with-cc without-cc
for kind; do one "$kind"; done
[ -z "$late" ] || give_up "the story took longer than $story_seconds s:$late"
say 'all of it happened'
