# make demo    install the package from this checkout and enrich examples/contacts.csv against the sandbox
# make check   every test and every check, cheap ones first
# make site    build the documentation and serve it at http://127.0.0.1:8000
# make cluster the tests with Dask, Spark and Ray; CLUSTER=fast runs only one test each for Spark and Ray
# make pipelines the examples of Airflow, Dagster and dbt
#
# make platforms  check macOS, and try Windows under wine (fetches compilers; half an hour)
# make wheels     build the wheels for Linux that a release has, and check and try them (PROFILE=0: without rustup)
# make matrix     the Python tests with the lowest and with the newest versions of all dependencies
#
# Needs Rust (>= 1.93), CPython (>= 3.10) with pip, and make. PYTHON=python3.12 picks another interpreter.

PYTHON ?= python3
# The wheel is also tried with each of these that is installed.
SMOKE_PYTHONS ?= python3.10 python3.11 python3.12 python3.13
ROWS ?= 100000
REPEAT ?= 3
# How the wheel is built. `checks`: as the tests are, with debug assertions, and with the dependencies that are compiled
# for them already. `release`: optimised.
WHEEL ?= checks
# What `make cluster` runs: full, or fast (Dask in full, one test each for Spark and Ray).
CLUSTER ?= full

DEMO := .venv-demo
CHECK := .venv-check
BENCH := .venv-bench
ENGINES := .venv-cluster
DIST := dist
ALL_RUST := --workspace --exclude exactbuyer_python

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# No test, check or demo may reach the real service, or carry a real key.
export EXACTBUYER_OFFLINE := 1
unexport EXACTBUYER_API_KEY
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export CARGO_TERM_COLOR ?= always
export PYTHONDONTWRITEBYTECODE := 1

say = @printf '\n\033[1m==> %s  %s\033[0m\n' "$$(date +%T)" "$(1)"

.PHONY: help demo check walls fmt lint clippy doc rust-test wheel installed smoke types python-test
.PHONY: site site-check drawings recipes
.PHONY: cluster cluster-installed pipelines
.PHONY: platforms macos windows wheels matrix licences
.PHONY: bench bench-full bench-installed profiled-wheel bench-stored bench-tables torture clean what-is-needed

help:
	@sed -n 's/^# make/make/p' Makefile

what-is-needed:
	@command -v cargo > /dev/null || { echo 'Rust is needed, 1.93 or newer: https://rustup.rs'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "CPython 3.10 or newer is needed: make PYTHON=python3.12 …")'

# ---- the demo ----

# A build from an empty cache takes a few minutes. Its code is slower than the wheel's: measure with `make bench`.
demo: what-is-needed
	$(call say,build and install the package into $(DEMO) (compiles Rust: some minutes the first time))
	test -x $(DEMO)/bin/python || $(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --force-reinstall --config-settings=build-args=--profile=quick .
	$(call say,enrich examples/contacts.csv against the sandbox)
	$(DEMO)/bin/python examples/enrich_csv.py examples/contacts.csv

# ---- the gates ----

check: what-is-needed walls fmt lint clippy doc rust-test wheel smoke types site-check python-test
	$(call say,every check passed)

walls:
	$(call say,walls: who names whom)
	$(PYTHON) tests/walls/walls.py

fmt:
	$(call say,rustfmt)
	cargo fmt --check

# Created again when pyproject.toml changes. The target `installed` installs the wheel into it.
$(CHECK)/made: pyproject.toml | what-is-needed
	$(call say,make $(CHECK) with what the checks need)
	rm -rf $(CHECK)
	$(PYTHON) -m venv $(CHECK)
	$(CHECK)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(CHECK)/bin/python -m pip install --quiet --group dev
	touch $@

lint: $(CHECK)/made
	$(call say,ruff: format and lint)
	$(CHECK)/bin/ruff format --check .
	$(CHECK)/bin/ruff check .
	$(call say,import-linter: which room of the Python package may import which)
	PYTHONPATH=python $(CHECK)/bin/lint-imports --no-cache --no-logo
	$(call say,actionlint: the workflows of the forge)
	$(CHECK)/bin/actionlint
	$(call say,licences of all crates that a wheel has)
	$(PYTHON) tests/platforms/licences.py --check

clippy:
	$(call say,clippy)
	cargo clippy --locked --workspace --all-targets -- -D warnings

doc:
	$(call say,rustdoc)
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --workspace

# All tests but those of Python's crate, which are written in Python. `torture` kills processes, cuts the power, lets
# disks fail and runs eight processes at once.
rust-test:
	$(call say,cargo test)
	# Some servers of the tests are proxies for names that do not exist: those are not loopback addresses.
	# `--workspace` includes Python's crate, which has no Rust tests, so that dependencies get the features that they
	# have in the wheel.
	env -u EXACTBUYER_OFFLINE cargo test --locked --workspace

# Always by the same interpreter: another one would compile the Python half of the dependencies again.
wheel: what-is-needed
	$(call say,build the wheel from this checkout (compiles Rust: some minutes the first time))
	rm -rf $(DIST)
	$(PYTHON) -m pip wheel --no-deps --wheel-dir $(DIST) $(if $(filter checks,$(WHEEL)),$(AS_IN_TESTS)) .

AS_IN_TESTS := --config-settings=build-args='--profile=dev --features=as-in-tests'

# Proves that the wheel declares all that it needs: installs only the wheel with its dependencies, on every Python
# that is installed here.
smoke: wheel
	$(call say,the wheel alone in fresh environments)
	bash tests/smoke.sh $(DIST) $(PYTHON) $(SMOKE_PYTHONS)

# Always builds the wheel of this tree: a check of an older build would prove nothing.
installed: wheel $(CHECK)/made
	$(call say,install the wheel into $(CHECK))
	$(CHECK)/bin/python -m pip install --quiet --force-reinstall --no-deps $(DIST)/*.whl
	$(CHECK)/bin/python -m pip install --quiet $(DIST)/*.whl
	$(CHECK)/bin/python -m pip check

types: installed
	$(call say,mypy)
	$(CHECK)/bin/python -m mypy
	$(call say,pyright)
	$(CHECK)/bin/python -m pyright --pythonpath $(CHECK)/bin/python
	$(call say,stubtest: the stubs against the compiled module)
	$(CHECK)/bin/python -m mypy.stubtest exactbuyer._core

python-test: installed
	$(call say,pytest with a canary for a key)
	$(CHECK)/bin/python tests/canary/run_with_canary.py --numprocesses=auto

# ---- the documentation ----

SITE := target/site
SITE_PORT ?= 8000

# Strict: a broken link or heading, an unknown name of the API or any other warning fails. Needs no network.
site-check: installed
	$(call say,build the documentation site)
	$(CHECK)/bin/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env -b html docs $(SITE)
	$(CHECK)/bin/python docs/_site/whole.py $(SITE)

site: site-check
	$(call say,http://127.0.0.1:$(SITE_PORT) until Ctrl-C)
	$(CHECK)/bin/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(SITE_PORT)

# Draws the plots of the performance page from its tables, and the diagram of the architecture.
drawings:
	$(PYTHON) docs/_site/drawings.py

# The recipes with the real libraries, where those can be installed. `make check` runs them with stand-ins.
RECIPES := .venv-recipes
recipes: wheel
	test -x $(RECIPES)/bin/python || $(PYTHON) -m venv $(RECIPES)
	$(RECIPES)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(RECIPES)/bin/python -m pip install --quiet --group recipes $(DIST)/*.whl
	$(RECIPES)/bin/python -m pytest -p no:cacheprovider tests/python/test_pages.py

# ---- frames of a cluster ----

$(ENGINES)/made: pyproject.toml | what-is-needed
	$(call say,make $(ENGINES) with the engines)
	@java -version > /dev/null 2>&1 || { echo 'Spark needs Java, 17 or newer: install a JRE'; exit 1; }
	rm -rf $(ENGINES)
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(ENGINES)/bin/python -m pip install --quiet --group cluster
	touch $@

cluster-installed: wheel $(ENGINES)/made
	$(call say,install the package with its extras into $(ENGINES))
	$(ENGINES)/bin/python -m pip install --quiet --force-reinstall --no-deps $(DIST)/*.whl
	$(ENGINES)/bin/python -m pip install --quiet "$$(echo $(DIST)/*.whl)[dask,ray,spark]"

# Each engine has its own process, because engines leave threads behind.
cluster: cluster-installed
	$(call say,Dask)
	CLUSTER_ENGINE=dask $(ENGINES)/bin/python -m pytest tests/cluster
	$(call say,Spark)
	CLUSTER_ENGINE=spark $(ENGINES)/bin/python -m pytest tests/cluster $(if $(filter fast,$(CLUSTER)),-k nothing_that_is_done)
	$(call say,Ray)
	CLUSTER_ENGINE=ray $(ENGINES)/bin/python -m pytest tests/cluster $(if $(filter fast,$(CLUSTER)),-k nothing_that_is_done)

# The examples of orchestrators, each in an environment of its own: their dependencies do not agree. dbt before 1.12,
# because later ones need a part that is not in the package index.
PIPELINE_airflow := 'apache-airflow>=3'
PIPELINE_dagster := dagster
PIPELINE_dbt := 'dbt-core<1.12' 'dbt-duckdb<2'

pipelines: wheel
	for name in airflow dagster dbt; do $(MAKE) pipeline-$$name; done

pipeline-%:
	$(call say,the example of $*)
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet $(PIPELINE_$*) pandas pyarrow pytest
	.venv-$*/bin/python -m pip install --quiet --force-reinstall --no-deps $(DIST)/*.whl
	.venv-$*/bin/python -m pip install --quiet $(DIST)/*.whl
	PIPELINE=$* .venv-$*/bin/python -m pytest tests/pipelines

# ---- other systems, and what a release consists of ----

platforms: macos windows

# The whole package compiled for macOS.
macos: what-is-needed
	bash tests/platforms/macos.sh

# The extension module for Windows, run under wine on Windows' CPython.
windows: what-is-needed
	bash tests/platforms/windows.sh

wheels: what-is-needed
	bash tests/platforms/wheels.sh

# The tests that meet a dependency. MATRIX_TESTS=tests/python runs all.
MATRIX_TESTS ?= $(wildcard tests/python/test_*table*.py tests/python/test_*frames*.py tests/python/test_cli*.py) \
  tests/python/test_enrich.py tests/python/test_odd_values.py tests/python/test_progress.py tests/python/test_rows.py \
  tests/python/test_store.py tests/python/test_streams.py tests/python/test_package.py tests/python/test_collector.py \
  tests/python/test_templates.py

matrix: wheel
	bash tests/platforms/matrix.sh $(DIST)/*.whl $(MATRIX_TESTS)

# Writes the licence texts again, after the dependencies have changed.
licences:
	$(PYTHON) tests/platforms/licences.py

# ---- figures ----

$(BENCH)/made: pyproject.toml | what-is-needed
	$(call say,make $(BENCH) with what is compared)
	rm -rf $(BENCH)
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BENCH)/bin/python -m pip install --quiet --group bench
	touch $@

# The wheel of this very tree, built with a profile of typical calls.
profiled-wheel: $(BENCH)/made
	$(call say,build the wheel twice)
	rm -rf $(DIST)
	PATH=$(CURDIR)/$(BENCH)/bin:$$PATH PROFILE=1 bash tests/platforms/build_wheel.sh \
	  "$$(rustc -vV | sed -n 's/^host: //p')" linux $(DIST)

# Always builds the wheel of this tree, optimised. With PROFILE=1, it is the profiled one.
bench bench-tables bench-stored: WHEEL = release
bench-installed: $(if $(filter 1,$(PROFILE)),profiled-wheel,wheel) $(BENCH)/made
	$(call say,install the package into $(BENCH))
	$(BENCH)/bin/python -m pip install --quiet --force-reinstall $(DIST)/*.whl

bench: bench-installed
	$(call say,compare over $(ROWS) rows)
	$(BENCH)/bin/python benchmarks/run.py --rows $(ROWS) --repeat $(REPEAT) $(BENCH_ARGS)

# The same for frames. TABLE_ARGS=--growth measures only this package, with growing numbers of rows.
bench-tables: bench-installed
	$(call say,compare frames of $(ROWS) rows)
	$(BENCH)/bin/python benchmarks/tables.py --rows $(ROWS) --repeat $(REPEAT) $(TABLE_ARGS)

# What the durable store costs, and what it saves.
bench-stored: bench-installed
	$(call say,keep and serve $(ROWS) rows)
	$(BENCH)/bin/python benchmarks/stored.py --rows $(ROWS) --repeat $(REPEAT)

bench-full:
	$(MAKE) bench ROWS=100000
	$(MAKE) bench ROWS=1000000 REPEAT=1

# The tests of `make check`, but larger: more cases for every property and more runs of the simulation. In addition:
# planted bugs, which show that the tests can fail, and large runs over real sockets, compared with the sandbox's
# ledger. Each size can be set by a variable.
torture: installed
	$(call say,large lists and an endless stream with bad luck)
	$(CHECK)/bin/python tests/soak/soak.py --rounds $${SOAK_ROUNDS:-20}
	$(call say,every property with $${PROPTEST_CASES:-20000} cases)
	env -u EXACTBUYER_OFFLINE PROPTEST_CASES=$${PROPTEST_CASES:-20000} \
	  cargo test --locked $(ALL_RUST) --lib --test engine --test identifiers --test transport
	$(call say,the properties of the store, whose cases wait for the disk, with $${STORE_CASES:-1000} cases)
	PROPTEST_CASES=$${STORE_CASES:-1000} cargo test --locked -p exactbuyer_tests --test store
	$(call say,$${SIMULATION_RUNS:-1000000} simulated runs)
	SIMULATION_RUNS=$${SIMULATION_RUNS:-1000000} cargo test --locked -p exactbuyer_tests --test simulation
	$(call say,the store: $${TORTURE:-10} times as many kills and power cuts and failures)
	TORTURE=$${TORTURE:-10} cargo test --locked -p exactbuyer_tests --test torture
	$(call say,files of $${CLI_ROWS:-2000000} rows through the command line in flat memory)
	CLI_ROWS=$${CLI_ROWS:-2000000} $(CHECK)/bin/python -m pytest tests/python/test_cli_memory.py
	$(call say,bugs planted in the engine and in the store)
	$(PYTHON) tests/planted/plant.py
	$(call say,a field type planted in the list)
	$(CHECK)/bin/python tests/planted/field_type.py

clean:
	cargo clean
	rm -rf $(DIST) .platforms .venv-demo .venv-check .venv-bench .venv-cluster .venv-airflow .venv-dagster .venv-dbt .venv-recipes
	rm -rf .venv-smoke .mypy_cache .ruff_cache .pytest_cache .hypothesis
