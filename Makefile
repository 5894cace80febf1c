# `make demo` and `make test` need Python ≥ 3.11 and nothing else: both make .venv on first use.
PYTHON ?= python3
BIN := .venv/bin
# one thread a process: two test workers share two cores, and small matrices are fastest on one
SINGLE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test lint types docs support petsc-test clean

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

# PETSc's plug-in, with Debian's petsc4py: python3-petsc4py and openmpi-bin, built for Debian's Python and NumPy 1
PETSC := .venv-petsc
PETSC_PATH = $(shell ls -d /usr/lib/petscdir/*/*-real/lib/python3/dist-packages 2>/dev/null | tail -1)
PETSC_RUN = PYTHONPATH=$(PETSC_PATH) $(SINGLE)

$(PETSC)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PETSC)
	$(PETSC)/bin/pip install -q -c constraints.txt "numpy<2" pytest -e .
	touch $@

petsc-test:
	@test -n "$(PETSC_PATH)" || { echo "petsc4py is missing; try: apt-get install python3-petsc4py openmpi-bin"; exit 1; }
	@$(MAKE) -s $(PETSC)/.installed
	$(PETSC_RUN) $(PETSC)/bin/python -c "import petsc4py.PETSc"
	$(PETSC_RUN) $(PETSC)/bin/pytest tests/plugins

support: .venv/.installed
	$(BIN)/python docs/support_table.py

docs: .venv/.installed
	$(BIN)/pip install -q -c constraints.txt -e ".[docs]"
	$(BIN)/sphinx-build -q -W docs docs/_build

clean:
	rm -rf .venv .venv-petsc docs/_build .pytest_cache .mypy_cache .ruff_cache
