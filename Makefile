# Everything a checkout can do, on a machine that has Python 3.11+, Java 17 or 21, and make.
# Each verb makes what it needs (.venv, .cache), once. ARGS is passed on: make test ARGS="-k layers -x"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHONS := python3 python3.13 python3.12 python3.11 python3.14
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
# The first Python that is new enough; name another with PYTHON=/path/to/python3
PYTHON ?= $(shell for p in $(PYTHONS); do $$p $(NEW_ENOUGH) 2>/dev/null && command -v $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
SPARK ?= 3.5.9
# Processes that share out the test files. Each has a Spark of its own (2 GB), so a few tests are quicker in one
WORKERS ?= $(if $(ARGS),0,2)

# Downloads live here, not in $HOME, which need not exist
export NACRE_CACHE ?= $(CURDIR)/.cache
export MPLCONFIGDIR ?= $(NACRE_CACHE)/matplotlib
# Idle OpenMP threads sleep instead of spinning: on few cores training is a hundred times faster
export OMP_WAIT_POLICY ?= PASSIVE
# Spark would look up the machine's name, and warn when that is no address it can use
export SPARK_LOCAL_IP ?= 127.0.0.1

INSTALLED_FROM := setup.py pyproject.toml constraints.txt

.PHONY: help setup demo test images fuzz parity frameworks lint format docs bench wheel clean python bare jars

help:  ## List the verbs
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'

setup: bare $(VENV)/.installed-demo $(VENV)/.installed-test $(VENV)/.installed-lint jars  ## Make .venv with all that the other verbs need

demo: bare $(VENV)/.installed-demo  ## Run the main job end to end
	@$(BIN)/nacre demo $(ARGS)

# The images take minutes to build: their tests run when they are asked for
test: bare $(VENV)/.installed-test jars  ## Run the tests; ends with what each marker ran and skipped
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(or $(ARGS),--ignore=tests/test_images.py)

images: python $(VENV)/.installed-test  ## Build the images with podman and print their sizes: ARGS="sparkml xgboost"
	@$(BIN)/python -m tests.images.build $(ARGS)

fuzz: bare $(VENV)/.installed-test  ## Spoil bundles at random, through the reader and both plans: ARGS="--seconds 600"
	@$(BIN)/python -m tests.fuzz $(ARGS)

parity: bare $(VENV)/.installed-test  ## Compare with another Spark: make parity SPARK=3.5.9 (ARGS="--sample" for one case an op)
	@$(BIN)/python -m tests.parity.sweep --spark $(SPARK) $(ARGS)

frameworks: python  ## The tests with PyTorch and TensorFlow, in an environment of their own (7 GB)
	@"$(PYTHON)" -m tests.frameworks $(ARGS)

lint: python $(VENV)/.installed-lint  ## Check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: python $(VENV)/.installed-lint  ## Rewrite what the formatter and the safe fixes can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: bare $(VENV)/.installed-test  ## Write the derived pages under docs/
	@$(BIN)/python docs/build.py $(ARGS)

bench: bare $(VENV)/.installed-test  ## Run the benchmarks
	@$(BIN)/nacre bench $(ARGS)

wheel: python $(VENV)/.installed-test  ## Build dist/nacre-*.whl
	@$(BIN)/python -m build --wheel --outdir dist

clean:  ## Remove .venv, .cache and build products
	rm -rf $(VENV) "$(NACRE_CACHE)" build dist *.egg-info

# One sentence and exit code 1, before anything is downloaded

python:
	@test -n "$(PYTHON)" || { echo "Nacre needs Python 3.11 or newer (python3 here: `python3 -V 2>/dev/null || echo none`): apt-get install python3.11 python3.11-venv, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" $(NEW_ENOUGH) || { echo "Nacre needs Python 3.11 or newer; $(PYTHON) is `"$(PYTHON)" -V 2>&1`" >&2; exit 1; }

bare: python
	@"$(PYTHON)" -I nacre/doctor.py --bare

$(BIN)/python: | python
	@echo "making $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)

# One stamp an extra: .installed-demo holds nacre[demo] and so on. pip checks at the end that all fits together
$(VENV)/.installed-%: $(INSTALLED_FROM) | $(BIN)/python
	@echo "installing nacre[$*] into $(VENV): one to three minutes the first time"
	@$(PIP) install --use-pep517 --constraint constraints.txt --editable ".[$*]"
	@$(PIP) check
	@touch $@

# The JVM runtime of MLeap, an oracle of the tests (50 MB)
jars: $(VENV)/.installed-test
	@$(BIN)/python -m tests.oracle.fetch
