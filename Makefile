# The one door to everything that is run on a checkout. `make` lists it.

# TensorFlow tells of its processor and of missing GPU libraries; 2 leaves only errors.
export TF_CPP_MIN_LOG_LEVEL ?= 2

VENV := .venv/.installed
VENV_COLAB := .venv-colab/.installed
VENV_PEERS := .venv-peers/.installed
CHECKOUT := "gpt2-helpers and what it needs" "700 MB" --editable '.[notebooks,pretrain,web,test]'
# A file's tests share what they have made, so that a file stays in one process.
ALL_TESTS := -m pytest -rs --nbval-lax --nbval-current-env \
	--numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## list these targets
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
	@echo "PYTHON=python3.12 beside the target chooses the Python that .venv is made with."

.PHONY: demo
demo: $(VENV) ## finetune the bundled model on data/titles.csv and print ten new titles
	@.venv/bin/python -m gpt2_helpers.cli.demo

.PHONY: test
test: check ## every check and test, the notebooks too
	@.venv/bin/python $(ALL_TESTS)

.PHONY: check
check: $(VENV) ## formatting, lint, types and licences, without running anything
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m mypy
	@.venv/bin/python .ci/audit.py

.PHONY: format
format: $(VENV) ## format the code, mend what lint can mend, empty the notebooks' outputs
	@.venv/bin/python -m ruff check --quiet --fix-only .
	@.venv/bin/python -m ruff format .
	@.venv/bin/python notebooks/publish.py

.PHONY: notebooks
notebooks: $(VENV) ## write address and version into notebooks and READMEs, empty the outputs
	@.venv/bin/python notebooks/publish.py

# Enough steps that there is something to see.
.PHONY: pictures
pictures: $(VENV) ## take the pictures of notebooks and page anew, in a browser
	@PICTURES=notebooks/pictures GPT2_STEPS=400 GPT2_LENGTH=100 GPT2_BULK_NSAMPLES=200 \
		.venv/bin/python -m pytest -q -rs tests/notebooks/test_browser.py tests/web/test_page.py

# Colaboratory's older ipykernel brings a debugger that warns of Python 3.11 and later.
.PHONY: test-colab
test-colab: $(VENV_COLAB) ## the tests with Colaboratory's versions, in an environment of their own
	@PYDEVD_DISABLE_FILE_VALIDATION=1 .venv-colab/bin/python $(ALL_TESTS)

# Each is bounded in time, and ends with a tally.
.PHONY: crash-test
crash-test: $(VENV) ## kill everything that writes, at any moment, and look what is left
	@.venv/bin/python tests/support/crashes/__main__.py --kills 25 --minutes 30

.PHONY: fuzz
fuzz: $(VENV) ## made-up files for everything that reads files, and made-up inputs
	@.venv/bin/python tests/support/fuzzing/__main__.py --minutes 1
	@.venv/bin/python -m pytest -q --hypothesis-profile others tests/test_properties.py

.PHONY: soak
soak: $(VENV) ## memory over 10,000 texts, 2,000 steps and 50 models, half an hour
	@.venv/bin/python benchmarks/soak.py

.PHONY: load-test
load-test: $(VENV) ## how much the web app writes for how many at once, and made-up requests
	@.venv/bin/python benchmarks/load.py
	@.venv/bin/python -m pytest -q -rs tests/web/test_openapi_schema.py

# Nothing else should compute meanwhile.
.PHONY: bench
bench: $(VENV) $(VENV_PEERS) ## measure against others, which takes hours; writes the results and the README's
	@.venv/bin/python benchmarks/compare.py
	@.venv/bin/python benchmarks/table.py --readme

.PHONY: bench-quick
bench-quick: $(VENV) $(VENV_PEERS) ## a few of these works, about five minutes; the results stay as they are
	@.venv/bin/python benchmarks/compare.py --quick --out build/bench-quick.json

.PHONY: bench-growth
bench-growth: $(VENV) ## how time and memory grow with text, texts and context
	@.venv/bin/python benchmarks/growth.py

.PHONY: venv
venv: $(VENV) ## only make .venv and install into it
	@echo "Ready: . .venv/bin/activate"

.PHONY: clean
clean: ## remove the environments and all caches; runs, models and samples stay
	@rm -rf .venv .venv-colab .venv-peers build dist gpt2_helpers.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.*' -prune -exec rm -rf {} +

$(VENV): pyproject.toml requirements.txt
	@.ci/venv .venv 10 $(CHECKOUT)

# Keras 3.13, Colaboratory's, needs Python 3.11.
$(VENV_COLAB): pyproject.toml requirements.txt constraints-colab.txt
	@.ci/venv .venv-colab 11 $(CHECKOUT) --constraint constraints-colab.txt

# Keras 3.15, which KerasHub needs, wants Python 3.11 too.
$(VENV_PEERS): benchmarks/peers.txt
	@.ci/venv .venv-peers 11 "what gpt2-helpers is compared with" "1 to 4 GB" \
		--requirement benchmarks/peers.txt
