# Everything a person does with this checkout. Each target first brings the set-up up to date.
SHELL := /bin/bash
BIN := .venv/bin
DATA ?= data
PYTEST := $(BIN)/pytest
# Tests of one module share servers and samples, so a module stays with one worker.
# One more than cores: tests wait for servers, children and disks.
WORKERS ?= $(shell expr $$(nproc) + 1)
# The tests start hundreds of processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

# What runs at the scanner: nothing in it may need what Windows has not.
ON_WINDOWS := scanners/drivers.py $(addprefix scanners/,device escl sane stack station twain)

.PHONY: help setup run test tests lint corpus torture bench accuracy fuzz lock clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

setup: ## Debian packages, .venv, locked dependencies; quick when nothing changed
	@.ci/setup

run: setup ## sample letters through the whole system, then serve until Ctrl-C
	@.ci/demonstration "$(DATA)"

lint: setup ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows $(ON_WINDOWS)
	$(BIN)/lint-imports

test: setup ## lint and, beside it, all tests but the long ones
	@$(MAKE) --no-print-directory -j 2 lint tests

tests: setup
	$(PYTEST) -n $(WORKERS) --dist loadscope --no-loadscope-reorder

corpus: setup ## every real file of the corpus folder (SCANSTRASSE_CORPUS); SCANSTRASSE_TABLE=file writes what became of each
	$(PYTEST) -m corpus

torture: setup ## kills, outages and full disks, for a long time
	$(PYTEST) -m torture

bench: setup ## ratios of cost; see bench/
	@for measure in $$(grep -l __main__ bench/*.py | grep -v accuracy | cut -d/ -f2 | cut -d. -f1); do \
		echo "== $$measure"; $(BIN)/python -m "bench.$$measure" || exit 1; done

accuracy: setup ## recognition against ground truth, per group of the corpus
	$(BIN)/python -m bench.accuracy --peer

SECONDS ?= 600
fuzz: setup ## hostile bytes at the doors for images and PDFs; SECONDS=600 for each
	@$(BIN)/uv pip install --quiet --group fuzz || echo "fuzz: without atheris, blindly"
	@for door in image pdf; do \
		$(BIN)/python -m tests.fuzz.fuzz_$$door --seconds "$(SECONDS)" || exit 1; done

LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header
lock: setup ## resolve anew into both lock files; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) --extra server pyproject.toml -o requirements.lock
	$(LOCK) $(UPGRADE) --extra server --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## what tools left behind; never data/
	rm -rf .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
