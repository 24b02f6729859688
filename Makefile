# One command each, from a fresh clone: every target sets up what it needs.
#   make demo      the quick-start study, to its report       make check     lint, types, imports, unit tests
#   make test      check, and the flows on real engines       make test-all  everything there is, before a release

PYTHON ?= python3.11
export OMP_NUM_THREADS ?= 1
# Engines spend much of their tests waiting for one another: three files at a time fill two cores. The longest come first.
FLOWS := .venv/bin/pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 5
.DEFAULT_GOAL := help
.PHONY: help setup demo check unit test test-all reference

help:
	@sed -n '2,3s/^#   //p' Makefile; echo 'make setup     both environments: .venv and .venv-eval'

setup: .venv/.ready .venv-eval/.ready

.venv/.ready: infra/setup.sh infra/locks/main.txt pyproject.toml
	@infra/setup.sh main .venv $(PYTHON)

.venv-eval/.ready: infra/setup.sh infra/locks/eval.txt
	@infra/setup.sh eval .venv-eval $(PYTHON)

demo: setup
	@.venv/bin/assay demo

check: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -q --numprocesses 2 tests/unit

test: setup check
	$(FLOWS) tests/flows -m "not slow"

test-all: setup check
	$(FLOWS) tests/flows tests/gpu

reference: .venv/.ready
	.venv/bin/python docs/make_reference.py
