# Everything that is run in a checkout. `make` lists the targets.

# Suppress TensorFlow's messages about the CPU and missing GPU libraries; 2 leaves only errors.
export TF_CPP_MIN_LOG_LEVEL ?= 2

VENV := .venv/.installed
VENV_COLAB := .venv-colab/.installed
VENV_BASELINES := .venv-baselines/.installed
VENV_EXCHANGE := .venv-exchange/.installed
CHECKOUT := "gpt2-helpers and its dependencies" "750 MB" --editable '.[beam,constrained,data,fast,hub,notebooks,pretrain,web,test]'
# Tests of a file share fixtures, so each file runs in one process.
ALL_TESTS := -m pytest -rs --nbval-lax --nbval-current-env \
	--numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## list these targets
	@echo "Usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile
	@echo "make TARGET PYTHON=python3.12 chooses the Python for .venv."

.PHONY: demo
demo: $(VENV) ## finetune the bundled model on data/titles.csv and print ten new titles
	@.venv/bin/python -m gpt2_helpers.cli.demo

.PHONY: test
test: check ## run every check and test, including the notebooks
	@.venv/bin/python $(ALL_TESTS)

# The audit waits for the network while mypy computes.
.PHONY: check
check: $(VENV) ## check formatting, lint, types, licenses and known vulnerabilities
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/python .ci/audit.py & .venv/bin/python -m mypy; types=$$?; wait $$! && exit $$types

.PHONY: format
format: $(VENV) ## format the code, apply lint fixes, remove the notebooks' outputs
	@.venv/bin/python -m ruff check --quiet --fix-only .
	@.venv/bin/python -m ruff format .
	@.venv/bin/python notebooks/publish.py

.PHONY: notebooks
notebooks: $(VENV) ## update URLs, version and install cells in notebooks and README
	@.venv/bin/python notebooks/publish.py

# More steps than the tests take, so that there is something to see.
.PHONY: pictures
pictures: $(VENV) ## retake the pictures of the notebooks and the web app, in a browser
	@PICTURES=notebooks/pictures GPT2_MODEL_NAME=tiny GPT2_STEPS=400 GPT2_LENGTH=100 GPT2_BULK_NSAMPLES=200 \
		.venv/bin/python -m pytest -q -rs tests/notebooks/test_browser.py::test_a_screenshot_shows_the_result tests/web/test_page.py \
		tests/web/test_next_tokens.py

# Colab's older ipykernel has a debugger that warns about Python 3.11 and later.
.PHONY: test-colab
test-colab: $(VENV_COLAB) ## run the tests with Colab's versions, in a separate environment
	@PYDEVD_DISABLE_FILE_VALIDATION=1 .venv-colab/bin/python $(ALL_TESTS)

.PHONY: test-exchange
test-exchange: $(VENV) $(VENV_EXCHANGE) ## transformers, PEFT and clients of the server, in a separate environment
	@EXCHANGE_PYTHON=.venv-exchange/bin/python .venv/bin/python -m pytest -q -rs tests/exchange

# The next five print a summary; crash-test, fuzz and mutation have a time limit.
.PHONY: crash-test
crash-test: $(VENV) ## kill everything that writes files at random moments and check the result
	@.venv/bin/python tests/support/crashes/__main__.py --kills 25 --minutes 30

.PHONY: fuzz
fuzz: $(VENV) ## feed generated files and inputs to everything that reads them
	@.venv/bin/python tests/support/fuzzing/__main__.py --minutes 1
	@.venv/bin/python -m pytest -q --hypothesis-profile others tests/test_properties.py

.PHONY: mutation
mutation: $(VENV) ## change the code in random places and check that the tests notice (half an hour)
	@.venv/bin/python tests/support/mutation/__main__.py

.PHONY: soak
soak: $(VENV) ## watch memory over 10,000 texts, 2,000 steps and 50 models (half an hour)
	@.venv/bin/python benchmarks/soak.py

.PHONY: load-test
load-test: $(VENV) ## measure the web app with 1 to 32 clients, and send it generated requests
	@.venv/bin/python benchmarks/load.py
	@.venv/bin/python -m pytest -q -rs tests/web/test_openapi_schema.py

# `make test` runs the short tests of tests/scaling, this target the long ones too.
.PHONY: scale-test
scale-test: $(VENV) ## train on several workers, encode and generate on Beam, serve behind nginx (ten minutes)
	@.venv/bin/python -m pytest -q -rs -m "scale or not scale" tests/scaling

# Nothing else should be running on the machine.
.PHONY: bench
bench: $(VENV) $(VENV_BASELINES) ## compare with other libraries (hours); updates the results, README and docs
	@.venv/bin/python benchmarks/compare.py
	@.venv/bin/python benchmarks/table.py --readme

.PHONY: bench-quick
bench-quick: $(VENV) $(VENV_BASELINES) ## compare on a few workloads (five minutes), without updating the results
	@.venv/bin/python benchmarks/compare.py --quick --out build/bench-quick.json

.PHONY: bench-scaling
bench-scaling: $(VENV) ## measure how time and memory grow with batch, context and text size
	@.venv/bin/python benchmarks/run_scaling.py

# Without .venv, so that it is ready within a minute. Old files in build/lib would be packed too.
.PHONY: wheel
wheel: ## build the wheel in dist/, to install the package where the repository cannot be reached
	@rm -rf build/lib
	@python=.venv/bin/python; [ -x $$python ] || python=$${PYTHON:-python3}; \
		$$python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

.PHONY: venv
venv: $(VENV) ## create .venv and install the package into it
	@echo "Ready: . .venv/bin/activate"

.PHONY: clean
clean: ## remove environments and caches; keep runs, models and samples
	@rm -rf .venv .venv-colab .venv-baselines .venv-exchange build dist gpt2_helpers.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.*' -prune -exec rm -rf {} +

$(VENV): pyproject.toml requirements.txt
	@.ci/venv .venv 10 $(CHECKOUT)

# Colab's Keras 3.13 needs Python 3.11.
$(VENV_COLAB): pyproject.toml requirements.txt constraints-colab.txt
	@.ci/venv .venv-colab 11 $(CHECKOUT) --constraint constraints-colab.txt

# KerasHub needs Keras 3.15, which needs Python 3.11.
$(VENV_BASELINES): benchmarks/baselines/requirements.txt
	@.ci/venv .venv-baselines 11 "the libraries to compare with" "1 to 4 GB" \
		--requirement benchmarks/baselines/requirements.txt

$(VENV_EXCHANGE): tests/support/exchange/requirements.txt
	@.ci/venv .venv-exchange 10 "transformers, PEFT and clients" "1 to 4 GB" \
		--requirement tests/support/exchange/requirements.txt
