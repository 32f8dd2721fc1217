# Everything a person or a machine does here starts with `make`; `make help` lists it.

PYTHON ?= python3
VENV   := .venv
# Three processes, since tests also wait for services, each with a local cloud of its own, in the order of the tree: the longest first (tests/distribution.py).
PYTEST  := $(VENV)/bin/pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder --durations 20
BIN    := $(VENV)/bin

# A hundred processes of a test run import the same files: compiling those each time takes longer than some tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
RUNS ?= 500
SEED ?= 1

# `python -m vertex_vllm.local.demo_models.build` makes the serving runtime, too: both are set-up, and not a test's time.
.PHONY: help demo test test-all test-cloud record test-fast chaos check audit harness hashes format compile check-compiled docs-check fields-page grants-page grants-tried schema local-up local-down local-env constraints clean clean-cache

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready  ## The main job on this machine: Hub → mirror → real vLLM endpoint → smoke tests → evaluation → teardown
	@$(BIN)/vertex-vllm demo

test: $(VENV)/.ready  ## The tests that a change is likely to break, with real vLLM started twice: minutes
	@$(BIN)/python -m vertex_vllm.local.demo_models.build > /dev/null
	@$(PYTEST) -m "not slow"

test-all: $(VENV)/.ready  ## All tests; as many examples and chaos cases as a night has time for
	@$(BIN)/python -m vertex_vllm.local.demo_models.build > /dev/null
	@HYPOTHESIS_PROFILE=nightly $(PYTEST)

test-cloud: $(VENV)/.ready  ## The end-to-end tests on a real project: PROJECT=… BUDGET_USD=… [REGION=…]; see docs/test-cloud.md
	@VERTEX_VLLM_TEST_PROJECT=$(PROJECT) VERTEX_VLLM_TEST_REGION=$(REGION) VERTEX_VLLM_TEST_BUDGET_USD=$(BUDGET_USD) \
	  sh -c 'test -n "$$VERTEX_VLLM_TEST_PROJECT" || { echo "Name the project: make test-cloud PROJECT=… BUDGET_USD=…" >&2; exit 2; }; exec $(BIN)/pytest -s tests/e2e'

record: $(VENV)/.ready  ## Record what a real project answers to the end-to-end tests: PROJECT=… BUDGET_USD=… FILE=…; see docs/test-cloud.md
	@VERTEX_VLLM_TEST_PROJECT=$(PROJECT) VERTEX_VLLM_TEST_REGION=$(REGION) VERTEX_VLLM_TEST_BUDGET_USD=$(BUDGET_USD) RECORDING=$(FILE) \
	  sh -c 'test -n "$$VERTEX_VLLM_TEST_PROJECT" && test -n "$$RECORDING" || { echo "Name the project and the file: make record PROJECT=… BUDGET_USD=… FILE=…" >&2; exit 2; }; \
	    exec $(BIN)/python -m benchmarks.recordings.record --output "$$RECORDING" -- $(BIN)/pytest -s tests/e2e'

test-fast: $(VENV)/.ready  ## As `make test`, without real vLLM
	@$(PYTEST) -m "not vllm and not slow"

chaos: $(VENV)/.ready  ## Hundreds of deploy runs, each with a fault or a kill of its own; RUNS=500 SEED=1; see docs/chaos.md
	@$(BIN)/python -m tests.chaos --runs $(RUNS) --seed $(SEED)

check: $(VENV)/.ready  ## Lint, format, types, import rules, generated files current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/pytest -q tests/test_architecture.py tests/test_parameter_blocks.py tests/pipelines/test_compiled.py tests/vertex_vllm/config/test_shipped_configs.py tests/vertex_vllm/config/test_fields_page.py

# In an environment of its own: what it needs is no business of the project's. It asks a database on the internet.
audit: $(VENV)/.ready  ## Known vulnerabilities of the pinned packages (needs the internet), and their licences
	@$(BIN)/pytest -q tests/test_licences.py
	@$(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install --quiet --no-deps --require-hashes --requirement constraints/tools.hashes
	@.venv-audit/bin/pip-audit --disable-pip --no-deps --requirement constraints/project.txt
	@sed 's/+cpu$$//' constraints/serving.txt > .venv-audit/serving.txt
	@.venv-audit/bin/pip-audit --disable-pip --no-deps --requirement .venv-audit/serving.txt
	@.venv-audit/bin/pip-audit --disable-pip --no-deps --requirement constraints/harness.txt
	@$(BIN)/python -m tools.image_audit .venv-audit/bin/pip-audit

# In an environment of its own: 85 packages that nothing else of the project needs.
harness:  ## Install inspect-ai into .venv-harness, for `vertex-vllm harness`
	@$(PYTHON) -m venv .venv-harness && .venv-harness/bin/python -m pip install --quiet --no-deps --require-hashes --requirement constraints/harness.hashes

# uv in an environment of its own. The lists name no index: pip takes its own, and a file with another hash is refused.
hashes:  ## Write constraints/*.hashes from pyproject.toml and constraints/*.txt (needs the internet)
	@$(PYTHON) -m venv .venv-hashes && .venv-hashes/bin/python -m pip install --quiet --no-deps --require-hashes --requirement constraints/tools.hashes
	@.venv-hashes/bin/python tools/hashes.py

format: $(VENV)/.ready  ## Rewrite the sources as ruff wants them
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

compile: $(VENV)/.ready  ## Write everything that follows from `Deployment`: parameters, docs/{console,fields}.md, the schema, compiled/*.yaml; IMAGE=… pins another image
	@$(BIN)/python -m tools.parameter_blocks
	@$(BIN)/python -m vertex_vllm.config.schema configs/deployment.schema.json
	@$(BIN)/python -m vertex_vllm.config.fields_page docs/fields.md
	@$(BIN)/python -m pipelines.compile $(if $(IMAGE),--image $(IMAGE))

check-compiled: $(VENV)/.ready  ## Fail when a file is not what `make compile` writes
	@$(BIN)/python -m tools.parameter_blocks --check
	@$(BIN)/python -m pipelines.compile --check

grants-tried: $(VENV)/.ready  ## Try bootstrap's grants, each without it, and write which permission fails: minutes
	@RENEW_GRANT_REFUSALS=1 $(BIN)/pytest -q tests/vertex_vllm/bootstrap/test_grants_needed.py

grants-page: $(VENV)/.ready  ## Write the grants in docs/security.md from vertex_vllm/bootstrap/grants.yaml
	@$(BIN)/python -m vertex_vllm.bootstrap.grants_page docs/security.md

docs-check: $(VENV)/.ready  ## Walk README and tutorials as written, with real vLLM where they say so: minutes
	@$(BIN)/python -m vertex_vllm.local.demo_models.build > /dev/null
	@$(BIN)/pytest -q -o log_cli=true --log-cli-level=INFO --log-cli-format="%(asctime)s %(message)s" tests/docs tests/vertex_vllm/cli/test_readme.py tests/vertex_vllm/cli/test_documented_commands.py tests/vertex_vllm/config/test_fields_page.py

fields-page: $(VENV)/.ready  ## Write docs/fields.md from the schema of configs
	@$(BIN)/python -m vertex_vllm.config.fields_page docs/fields.md

schema: $(VENV)/.ready  ## Write configs/deployment.schema.json for editors
	@$(BIN)/python -m vertex_vllm.config.schema configs/deployment.schema.json

local-up: $(VENV)/.ready  ## Start the local cloud
	@$(BIN)/vertex-vllm local up

local-down: $(VENV)/.ready  ## Stop the local cloud and everything it started
	@$(BIN)/vertex-vllm local down

local-env: $(VENV)/.ready  ## Print the exports that bring any Google client to the local cloud
	@$(BIN)/vertex-vllm local env

# The environment is made once, and again when its lists change.
$(VENV)/.ready: pyproject.toml setup.py localcloud/pyproject.toml constraints/project.hashes
	@echo "Setting up $(VENV): about 100 packages, one to two minutes"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "vertex-vllm needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --no-deps --require-hashes --requirement constraints/project.hashes
	@$(BIN)/python -m pip install --no-deps --no-build-isolation --no-index --editable ./localcloud --editable .
	@touch $@

clean:  ## Remove what the targets above wrote into this folder
	rm -rf $(VENV) .venv-audit .venv-harness .venv-hashes .venv-vllm build dist *.egg-info localcloud/build localcloud/*.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache reports
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-cache:  ## Remove the demo models kept under ~/.cache/vertex-vllm, and the step environments under ~/.cache/localcloud
	rm -rf $${VERTEX_VLLM_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/vertex-vllm} $${LOCALCLOUD_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/localcloud}
