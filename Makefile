# Every target first sets up what it needs in .venv, once. PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
AIRFLOW = 3.3.2
READY := .venv/.ready

.PHONY: help demo demo-ui format lint docs test test-unit test-e2e test-all matrix kill-table fleet screenshots bench \
    build release-check constraints clean

help:
	@echo "To try it:"
	@echo "make demo           a real Airflow waits for jobs of both kinds in the emulator; about 2 minutes"
	@echo "make demo-ui        Airflow's web UI with the example DAGs and the emulator, until Ctrl-C"
	@echo
	@echo "To change it:"
	@echo "make format         format the code and fix what ruff can fix"
	@echo "make lint           ruff, mypy, import rules, documentation"
	@echo "make test-unit      the tests to run while you write; less than 90 seconds"
	@echo "make test           all tests that need no Airflow processes, and one that does; about 3 minutes"
	@echo "make test-e2e       the tests on real Airflow processes"
	@echo "make test-all       all tests: these, the soak test, the search for secrets, kill-table, fleet and matrix"
	@echo "make docs           the documentation as HTML, in build/docs"
	@echo
	@echo "To measure and to release it:"
	@echo "make bench          measure the figures that the documentation quotes; about 35 minutes"
	@echo "make matrix         run tests and a real DAG on every supported Airflow and Python; about 50 minutes"
	@echo "make kill-table     kill parts of Airflow while tasks wait, write docs/reports/kill-table.md; about 15 minutes"
	@echo "make fleet          500 waits on Celery workers and two triggerers, some killed; needs PostgreSQL and Redis"
	@echo "make screenshots    use the forms and buttons in a real browser, write docs/images; needs Chromium"
	@echo "make build          build and check the wheel and the source distribution, in dist"
	@echo "make release-check  build, and check that this commit can be released"
	@echo "make constraints    renew constraints.txt"
	@echo "make clean          remove .venv and all generated files"

demo: $(READY)
	@.venv/bin/python -m demo.run

demo-ui: $(READY)
	@.venv/bin/python -m demo.ui

format: $(READY)
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

lint: $(READY)
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache --no-logo
	@$(MAKE) --no-print-directory docs

# Read all pages each time (-E). Otherwise a page with a warning passes if it has not changed.
docs: $(READY)
	@AIRFLOW_HOME=$(CURDIR)/build/airflow .venv/bin/sphinx-build -E -W --keep-going -q -c docs . build/docs
	@echo "The documentation is in build/docs/index.html"

# Leaves out what takes real time: slow servers, bad weather, and real Airflow.
test-unit: $(READY)
	@.venv/bin/python -m pytest -n 2 --dist worksteal $(addprefix --ignore=tests/,e2e smoke soak faults secrets)

test: $(READY)
	@.venv/bin/python -m pytest -n 2 --dist worksteal --ignore=tests/e2e

# Ends after three failures: if Airflow itself breaks, all tests fail, each after minutes.
test-e2e: $(READY)
	@.venv/bin/python -m pytest --maxfail=3 tests/e2e

test-all: $(READY)
	@.venv/bin/python -m pytest -m "not (matrix or kill or fleet)"
	@$(MAKE) --no-print-directory kill-table fleet matrix

# pyenv's commands (python3.10 and so on) work only for the versions in PYENV_VERSION: name all, the newest first.
matrix: $(READY)
	@.venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt --group matrix
	@if command -v pyenv > /dev/null; then \
	    PYENV_VERSION=$$(pyenv versions --bare | sort -rV | paste -sd:) && export PYENV_VERSION; fi; \
	    .venv/bin/python -m nox $(if $(CELLS),-s $(CELLS))

bench: $(READY)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r benchmarks/requirements.txt
	@.venv/bin/python -m benchmarks.parse
	@.venv/bin/python -m benchmarks.worker_starts
	@.venv/bin/python -m benchmarks.waits

kill-table: $(READY)
	@.venv/bin/python -m pytest -s -m kill tests/kill

fleet: $(READY)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r tools/fleet_requirements.txt
	@.venv/bin/python -m pytest -s -m fleet tests/fleet

screenshots: $(READY)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group browser
	@.venv/bin/python -m tools.screenshots

build: $(READY)
	@rm -rf dist
	@.venv/bin/python -m build --no-isolation
	@.venv/bin/python -m twine check --strict dist/*
	@.venv/bin/python -m tools.distributions

release-check: build
	@.venv/bin/python -m tools.distributions --release $(TAG)

# Dependency groups need pip 25.1.
$(READY): pyproject.toml constraints.txt
	@echo "Setting up .venv with Airflow $(AIRFLOW), once; this takes a minute or two ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
	@.venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[emulator]" --group dev
	@touch $@

# One resolution for all supported Python versions.
constraints: $(READY)
	@.venv/bin/python -m pip install -qq --disable-pip-version-check uv
	@{ echo "# Versions known to work together, for Python 3.10 to 3.13. Renew: make constraints AIRFLOW=<version>"; \
	   echo "apache-airflow==$(AIRFLOW)" | .venv/bin/uv pip compile --quiet --universal --python-version 3.10 \
	       --no-python-downloads --no-header --no-annotate --extra emulator --group dev pyproject.toml -; \
	 } > .venv/constraints.txt
	@mv .venv/constraints.txt constraints.txt

clean:
	@rm -rf .venv .nox build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
