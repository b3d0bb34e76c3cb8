# Everything sets itself up in .venv; run `make` for what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMPS := $(VENV)/.stamps
# pytorch.org's CPU wheels are a tenth of PyPI's on Linux: make test TORCH_ARGS="--index-url <their index>"
TORCH ?= torch==2.13.0
TORCH_ARGS ?=

# On a processor that reports AMX inside some virtual machines, llama.cpp's native build dies with SIGSEGV at the first
# decode (ldtilecfg). The flags exist for x86-64 only; a compiler that does not know them is left alone.
ARCH := $(shell uname -m)
CC ?= cc
NO_AMX := -mno-amx-tile -mno-amx-int8 -mno-amx-bf16
ifneq ($(filter x86_64 amd64,$(ARCH)),)
LLAMA_FLAGS := $(shell echo 'int main(void){return 0;}' | $(CC) $(NO_AMX) -x c -fsyntax-only - 2>/dev/null && echo "$(NO_AMX)")
endif

.PHONY: help report profile notebooks test check format clean

help:
	@echo "make report   set up, run sweeps/quickstart.yaml, write out/quickstart.html (first time: 10 to 20 min on 2 cores)"
	@echo "make profile  measure what requests cost on this machine, into the same report (5 min on 2 cores)"
	@echo "make notebooks  execute notebooks/ again and write their outputs (3 to 8 min on 2 cores)"
	@echo "make test     everything: lint, types, layers, unit tests, real models, transformers (first time: 15 to 30 min)"
	@echo "make check    the quick gate: lint, types, layers, unit tests"
	@echo "make format   let ruff rewrite what it can"
	@echo "make clean    remove .venv and what was built (out/ and the model cache stay)"

$(STAMPS)/venv:
	@echo "== making .venv with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "evalsuite needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/llama: $(STAMPS)/venv
	@echo "== installing llama-cpp-python (compiles for about 5 minutes on 2 cores, unless pip has it cached)"
	@CMAKE_ARGS="-DLLAVA_BUILD=OFF" CFLAGS="$(LLAMA_FLAGS)" CXXFLAGS="$(LLAMA_FLAGS)" $(PIP) "llama-cpp-python==0.3.36"
	@touch $@

$(STAMPS)/base: $(STAMPS)/llama pyproject.toml
	@echo "== installing evalsuite and what it needs (1 to 3 minutes)"
	@$(PIP) --editable .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/base
	@echo "== installing the tools for the checks (1 to 3 minutes)"
	@$(PIP) --editable ".[dev]"
	@touch $@

$(STAMPS)/full: $(STAMPS)/dev
	@echo "== installing torch and transformers, the independent reference of the tests (2 to 5 minutes)"
	@$(PIP) "$(TORCH)" $(TORCH_ARGS)
	@$(PIP) --editable ".[dev,hf,quant]" "$(TORCH)"
	@touch $@

report: $(STAMPS)/base
	@echo "== running sweeps/quickstart.yaml (4 to 8 minutes on 2 cores; it goes on where it was if you interrupt it)"
	@$(BIN)/evalsuite run sweeps/quickstart.yaml --out out/quickstart
	@echo "== done: open out/quickstart.html"

profile: $(STAMPS)/base
	@echo "== measuring what requests cost on this machine (about 5 minutes on 2 cores; leave it alone meanwhile)"
	@$(BIN)/evalsuite profile smollm2-135m-instruct gemma3-270m --out out/quickstart
	@echo "== done: open out/quickstart.html"

notebooks: $(STAMPS)/dev
	@echo "== executing notebooks/ (3 to 8 minutes on 2 cores)"
	@$(BIN)/python tools/run_notebooks.py

check: $(STAMPS)/dev
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== layers"
	@$(BIN)/lint-imports
	@echo "== files made from others"
	@$(BIN)/evalsuite tasks make --check
	@$(BIN)/python tools/find_lm_eval_tasks.py --check
	@$(BIN)/python tools/make_coverage.py --check
	@$(BIN)/python tools/make_lexicon.py --check
	@$(BIN)/python tools/report_strings.py --check
	@echo "== unit tests"
	@$(BIN)/pytest -q -m "not real" -n 2

test: $(STAMPS)/full
	@$(MAKE) --no-print-directory check
	@echo "== real models, transformers, the built wheel, the report in Chromium (5 to 15 minutes)"
	@$(BIN)/pytest -q -m real -n 2 --dist loadfile

format: $(STAMPS)/dev
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
