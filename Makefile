# `make demo` and `make test` need Python ≥ 3.11 and nothing else: both make .venv on first use.
PYTHON ?= python3
BIN := .venv/bin
# one thread a process: two test workers share two cores, and small matrices are fastest on one
SINGLE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test lint types docs support clean

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neuralpde needs Python 3.11 or newer; try: make PYTHON=python3.11 demo")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	touch $@

demo: .venv/.installed
	$(BIN)/neuralpde run examples/advection.toml
	$(BIN)/neuralpde run examples/vortex_pair.toml
	$(BIN)/neuralpde run examples/heated_plate.toml
	$(BIN)/neuralpde run examples/dropped_ring.toml

test: .venv/.installed
	$(SINGLE) $(BIN)/pytest -n 2

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed
	$(BIN)/mypy

support: .venv/.installed
	$(BIN)/python docs/support_table.py

docs: .venv/.installed
	$(BIN)/pip install -q -c constraints.txt -e ".[docs]"
	$(BIN)/sphinx-build -q -W docs docs/_build

clean:
	rm -rf .venv docs/_build .pytest_cache .mypy_cache .ruff_cache
