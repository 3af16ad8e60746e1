# One way to set up, one way to test: the same on a laptop and in CI. `make` alone lists the targets.
PYTHON ?= python3
PY := .venv/bin/python
# The stamp is written last and named after this folder and this Python, so a set-up that was interrupted, and a .venv
# that was made elsewhere, are not taken for a finished one.
STAMP := .venv/.ready-$(shell { pwd -P; $(PYTHON) -VV; } 2>&1 | cksum | cut -d ' ' -f 1)
# By whole files, since tests of a file share what was measured once; every worker computes on one thread.
PYTEST := $(PY) -m pytest -q -n auto --maxprocesses 8 --dist loadfile
PIP := $(PY) -m pip install -qq -c constraints.txt

# Nothing from outside leaks in: neither somebody else's packages nor a pip that installs elsewhere.
unexport PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long lint bench clean

help:            ## this list
	@sed -n 's/^\([a-z-]*\): .*## /  make \1\t/p' Makefile | expand -t 20

setup: $(STAMP)  ## make .venv with the pinned packages (about a minute)

demo: $(STAMP)   ## train LeNet-5 on real handwritten digits and show it
	.venv/bin/truestep train lenet5 --form modern

test: lint       ## lint, types and every quick test
	$(PYTEST)

test-long: lint  ## the same with many more examples, and the tests that take minutes
	TRUESTEP_LONG=1 $(PYTEST)

lint: $(STAMP)   ## ruff and pyright
	$(PY) -m ruff check -q
	$(PY) -m ruff format --check -q
	$(PY) -m pyright

bench: $(STAMP)  ## every benchmark, one after another
	@set -e; for file in benchmarks/[a-z]*.py; do echo "$$file" >&2; $(PY) "$$file"; done

clean:           ## remove what make made
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "truestep needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3 setup" >&2; exit 1; }
	@test -f $@ || { echo "set-up 1/3: a fresh .venv"; $(PYTHON) -m venv --clear .venv; }
	@rm -f .venv/.ready-*
	@echo "set-up 2/3: torch, as pinned (the slow part)"
	@$(PIP) torch hatchling
	@echo "set-up 3/3: truestep and what its tests need"
	@$(PIP) --no-build-isolation -e '.[dev,plot,board,notebook,cluster,tune]'
	@touch $@
