# make demo    the sample in napari (without a display: a picture, demo.png)
# make test    all tests
# make lint    ruff, mypy, import contracts, manifest
# make bench   the benchmarks; make bench ONLY="spots density" runs those named
#
# The first run makes .venv and installs everything into it. Only Python 3.11+ is
# needed; make PYTHON=/path/to/python3 chooses one.

PY     := .venv/bin/python
# installed for these very dependencies; a change of pyproject.toml installs again
STAMP  := .venv/.installed
export PYTHON

.PHONY: help demo test lint style types contracts manifest bench format system clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(STAMP): pyproject.toml tools/bootstrap.sh
	@tools/bootstrap.sh
	@touch $@

# Asked every time: it only looks, unless a library has to be installed.
system: $(STAMP)
	@tools/system.sh

demo: system
	@tools/demo.sh

# Two workers share one screen; a file's tests stay together, for its fixtures' sake.
# Last, so that its summary is what remains on the screen.
test: system
	@tools/with_screen.sh $(PY) -m pytest -n 2 --dist loadfile $(ARGS)

lint: style types contracts manifest

style: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(STAMP)
	$(PY) -m mypy

contracts: $(STAMP)
	.venv/bin/lint-imports --no-cache

manifest: $(STAMP)
	.venv/bin/npe2 validate src/napari_seespot/napari.yaml
	.venv/bin/npe2 validate napari-seespot

format: $(STAMP)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: system
	@tools/bench.sh $(ONLY)

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
