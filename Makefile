# Two commands for a fresh checkout: `make run` and `make test`. Both start with `make install`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
PUBLIC := src/ops_center/console/public
JAVASCRIPT_CLIENTS := tests/sdk/javascript
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)
PYTHON_SOURCES := $(shell find src -name '*.py')

.PHONY: install run test test-litellm test-collector clients lock lint clean

install: $(STAMPS)/python $(STAMPS)/bytecode $(PUBLIC)/index.html

run: install
	$(BIN)/ops-center serve

# `PART=checks` or `PART=tests`: only the one or the other half.
test: install clients
	$(BIN)/python tools/check.py $(PART)

# LiteLLM's SDK is an extra, so what needs it is tested in an environment of its own.
test-litellm: $(STAMPS)/python-litellm $(STAMPS)/bytecode
	.venv-litellm/bin/python -m pytest -q tests/litellm_sdk

$(STAMPS)/python-litellm: $(STAMPS)/python requirements/litellm.txt pyproject.toml
	@test -x .venv-litellm/bin/python || $(PYTHON) -m venv .venv-litellm
	$(BIN)/uv pip sync --quiet --compile-bytecode --python .venv-litellm/bin/python --require-hashes requirements/litellm.txt
	$(BIN)/uv pip install --quiet --python .venv-litellm/bin/python --no-deps --editable .
	@touch $@

# Built of the OpenTelemetry project's own modules, which takes Go and a minute or two: not part of `test`.
test-collector: install $(STAMPS)/collector
	$(BIN)/python -m pytest -q tests/collector

$(STAMPS)/collector: $(wildcard tests/collector/*.go) tests/collector/go.mod tests/collector/go.sum
	cd tests/collector && go build -trimpath -ldflags="-s -w" -o $(CURDIR)/$@ .

$(VENV)/bin/python:
	$(PYTHON) tools/require_python.py
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/python: $(VENV)/bin/python requirements/dev.txt pyproject.toml
	@mkdir -p $(STAMPS)
	@$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# Compiled beforehand: where PYTHONDONTWRITEBYTECODE is set, as in many images, each start would do it anew.
$(STAMPS)/bytecode: $(STAMPS)/python $(PYTHON_SOURCES)
	@$(BIN)/python -m compileall -q src/ops_center
	@touch $@

$(STAMPS)/web: $(STAMPS)/python web/package.json web/package-lock.json
	$(BIN)/python tools/node.py ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PUBLIC)/index.html: $(STAMPS)/web $(WEB_SOURCES)
	$(BIN)/python tools/node.py run build
	@touch $@

# Client libraries that tests/sdk drives; nothing else needs them.
clients: $(STAMPS)/clients $(STAMPS)/clients-javascript

$(STAMPS)/clients: $(STAMPS)/python requirements/clients.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $@
	$(BIN)/uv pip sync --quiet --python $@/bin/python --require-hashes requirements/clients.txt
	@touch $@

$(STAMPS)/clients-javascript: $(STAMPS)/python $(JAVASCRIPT_CLIENTS)/package.json $(JAVASCRIPT_CLIENTS)/package-lock.json
	$(BIN)/python tools/node.py --in $(JAVASCRIPT_CLIENTS) ci --no-audit --no-fund --loglevel=error
	@touch $@

lint: install
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/mypy

# Resolve the newest compatible versions anew; the files hold hashes and no address of any registry.
lock: $(VENV)/bin/python
	@$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --output-file requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group dev --output-file requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group clients --output-file requirements/clients.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --extra litellm --group test-litellm --output-file requirements/litellm.txt

clean:
	rm -rf $(VENV) .venv-litellm $(STAMPS) web/node_modules $(JAVASCRIPT_CLIENTS)/node_modules $(PUBLIC) build dist
