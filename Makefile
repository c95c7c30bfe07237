# Everything a developer does, from a machine that has Python 3.11 or newer and nothing else.
PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin

.PHONY: help dev test check lint format translations screenshots requirements install clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 15

dev: install .env ## serve on http://127.0.0.1:5000 with reload; PORT=5001 for another port
	@exec $(BIN)/flask dev --port $(PORT)

PYTEST := $(BIN)/python -m pytest --numprocesses=2
QUICK := (not browser and not servers and not minutes) or smoke

test: install ## the rules of every feature, and a few of each costly kind, in minutes; ARGS="tests/notes -x" for some
	@$(PYTEST) -m "$(QUICK)" $(ARGS)

check: install ## every test; ARGS=tests/browser for some
	@$(PYTEST) $(ARGS)

lint: install ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: install ## format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

translations: install ## collect the sentences of the code, and compile the translated ones
	@$(BIN)/pybabel --quiet extract --mapping pyproject.toml --no-location --sort-output --output app/translations/messages.pot .
	@$(BIN)/pybabel --quiet update --no-fuzzy-matching --ignore-pot-creation-date --width 120 \
		--input-file app/translations/messages.pot --output-dir app/translations
	@$(BIN)/pybabel --quiet compile --directory app/translations
	@rm app/translations/messages.pot

screenshots: install ## a picture of every page, into screenshots/; ARGS=notes for the pages whose name begins so
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

COMPILE := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host pyproject.toml

requirements: install ## pin anew what pyproject.toml asks for; ARGS=--upgrade for the newest
	@$(COMPILE) $(ARGS) --output-file requirements.txt
	@$(COMPILE) $(ARGS) --extra dev --constraint requirements.txt --output-file requirements-dev.txt

install: .venv/installed

.venv/installed: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Semicircle needs Python 3.11 or newer; name it with: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv --clear .venv \
		|| { echo "Python cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@touch $@

.env: # names the configuration of this machine; .env.example lists what else may stand in it
	@echo "APP_SETTINGS=config.DevelopmentConfig" > $@

clean: ## remove what was installed and generated; the data in instance/ stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache screenshots tests/browser/node_modules
