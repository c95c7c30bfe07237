# What a developer does. Needs Python 3.11 or newer, make and a package index; no compiler.
PYTHON ?= python3
BIN := .venv/bin

# Python is started hundreds of times, and compiles the code only once unless an image's environment forbids it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help dev test check deploy-staging deploy-production rollback attack audit slug feature migration rename lint format translations screenshots requirements wheels install install-lint install-check clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 19

dev: install .env ## serve on this machine, with reload; PORT=5001 for that very port
	@exec env FLASK_APP=tools.dev.commands $(BIN)/flask dev

PYTEST := $(BIN)/python -m pytest --numprocesses=2
QUICK := (not browser and not servers and not minutes and not library) or smoke

test: install ## the rules of every feature, and a few of each costly kind, in minutes; ARGS="tests/notes -x" for some
	@$(PYTEST) -m "$(QUICK)" $(ARGS)

check: install-check ## every test; ARGS=tests/browser for some
	@$(PYTEST) $(ARGS)

deploy-staging: ## test main, push it to staging, and see that it serves
	@$(PYTHON) bin/deploy staging

deploy-production: ## hand over to production what staging runs, and see that it serves
	@$(PYTHON) bin/deploy production $(ARGS)

rollback: ## go back to an earlier release, if that is safe; ARGS="production v12"
	@$(PYTHON) bin/rollback $(ARGS)

attack: install ## what a stranger can try, against a site of its own, in ten minutes; ARGS=--quick for two
	@$(BIN)/python -m tools.attack $(ARGS)

audit: install-check ## known vulnerabilities of the pinned packages; says what could not be checked
	@$(BIN)/python tools/audit.py

slug: install ## the size of what a dyno is sent, compressed
	@$(BIN)/python tools/slug.py

feature: install ## a feature with everything it needs, as CONTRIBUTING.md has it; NAME=bookmarks KOREAN=책갈피
	@$(BIN)/python -m tools.feature

migration: install ## the revision of what the models have, against a database of its own; MESSAGE="Create books"
	@$(BIN)/python -m tools.migration

rename: install ## a name of your own for the service; NAME="Half Moon" KOREAN=반쪽달
	@$(BIN)/python -m tools.rename

lint: install-lint ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: install ## format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

translations: install ## collect the sentences of the code, and compile the translated ones
	@$(BIN)/pybabel --quiet extract --mapping pyproject.toml --keyword lazy_gettext --no-location --sort-output --output app/translations/messages.pot .
	@$(BIN)/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width 120 \
		--input-file app/translations/messages.pot --output-dir app/translations
	@$(BIN)/pybabel --quiet compile --directory app/translations
	@rm app/translations/messages.pot

screenshots: install-check ## a picture of every page, into screenshots/; ARGS=notes for the pages whose name begins so
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-header pyproject.toml

requirements: install-check ## pin the dependencies of pyproject.toml; ARGS=--upgrade for the newest
	@$(COMPILE) $(ARGS) --output-file requirements.txt
	@$(COMPILE) $(ARGS) --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	@$(COMPILE) $(ARGS) --extra dev --extra lint --constraint requirements-dev.txt --output-file requirements-lint.txt
	@$(COMPILE) $(ARGS) --extra dev --extra check --constraint requirements-dev.txt --output-file requirements-check.txt

PYTHONS := 3.11 3.12 3.13

# Fails where a package has no wheel, or none of our hashes. For this Python `install` has just done so.
wheels: install-check ## check that every pinned package is a wheel, for each Python that we support, and fits the others
	@$(BIN)/python -m pip --disable-pip-version-check check
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	ours=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	for version in $(PYTHONS); do \
		[ "$$version" = "$$ours" ] && continue; \
		echo "Python $$version"; \
		$(BIN)/uv pip install --quiet --cache-dir "$$folder/cache" --target "$$folder/$$version" --python-version $$version \
			--no-deps --only-binary :all: --require-hashes \
			--requirement requirements-lint.txt --requirement requirements-check.txt || exit 1; \
	done

NEEDED := Semicircle needs Python 3.11 or newer; name one that is installed: make $(MAKECMDGOALS) PYTHON=python3.13
INSTALL := import runpy, sys; sys.version_info >= (3, 11) or sys.exit("$(NEEDED)"); runpy.run_path("tools/install.py", run_name="__main__")

install:
	@command -v $(PYTHON) >/dev/null || { echo "$(NEEDED)"; exit 1; }
	@$(PYTHON) -c '$(INSTALL)'

install-lint: install
	@$(PYTHON) -c '$(INSTALL)' lint

install-check: install
	@$(PYTHON) -c '$(INSTALL)' lint check

.env: # names the configuration; .env.example lists what else can be set
	@echo "APP_SETTINGS=config.DevelopmentConfig" > $@

clean: ## remove what was installed and generated; the data in instance/ stays
	@rm -rf .venv .venvs .mypy_cache .pytest_cache .ruff_cache screenshots tests/browser/node_modules
