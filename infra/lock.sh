#!/usr/bin/env bash
# Resolve every lock anew:  infra/lock.sh   (needs no GPU; needs `make setup` first, for uv)
# A CPU build of torch is found where uv is pointed to (UV_FIND_LINKS, UV_EXTRA_INDEX_URL) or on PyTorch's own CPU index.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
common=(--python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header --no-annotate --quiet)
"$uv" pip compile pyproject.toml --extra dev "${common[@]}" -o infra/locks/main.txt "$@"
"$uv" pip compile infra/locks/eval.in "${common[@]}" -o infra/locks/eval.txt "$@"
# On a GPU machine these go beside main.txt's pins. vLLM's API server wants another fastapi than Prefect's server; Assay
# runs vLLM's offline engine only, which needs none, so Prefect's pin overrides.
"$uv" pip compile pyproject.toml --extra vllm --extra faiss-gpu --extra flash-attn "${common[@]}" \
  --override infra/locks/gpu-overrides.txt -o infra/locks/gpu.txt "$@"
