#!/usr/bin/env bash
# Resolve every lock anew:  infra/lock.sh   (needs no GPU; needs `make setup` first, for uv)
# A CPU build of torch is found where uv is pointed to (UV_FIND_LINKS, UV_EXTRA_INDEX_URL) or on PyTorch's own CPU index.
set -euo pipefail
cd "$(dirname "$0")/.."

# resolve NAME INPUT [OPTIONS]: write infra/locks/NAME.txt. Torch is pinned without its build, which set-up chooses.
resolve() {
  local name=$1 input=$2
  shift 2
  {
    echo '# Made by infra/lock.sh. Installed by infra/setup.sh, torch first, with --no-deps.'
    .venv/bin/uv pip compile "$input" --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
      --no-header --no-annotate --quiet "$@" | sed 's/^torch==\([0-9.]*\)+cpu$/torch==\1/'
  } > ".lock.$name"
  mv ".lock.$name" "infra/locks/$name.txt"
}

# Text models need none of these, and PyPI's builds of them do not match a CPU torch: `import vllm` fails beside them.
unwanted=()
for name in torchaudio torchcodec torchvision triton; do unwanted+=(--no-emit-package "$name"); done
# vLLM's API server wants another fastapi than Prefect's server; Assay runs vLLM's offline engine only, which needs none,
# so Prefect's pin overrides.
override=(--override infra/locks/overrides.txt)

resolve main pyproject.toml --extra dev --extra cpu "${unwanted[@]}" "${override[@]}"
resolve eval infra/locks/eval.in
# On a GPU machine, in place of main.txt and eval.txt; their torch is the package index's own, with CUDA.
unset UV_FIND_LINKS UV_EXTRA_INDEX_URL
resolve gpu pyproject.toml --extra dev --extra vllm --extra faiss-gpu "${override[@]}"
resolve eval-gpu infra/locks/eval.in --constraint infra/locks/eval.txt
