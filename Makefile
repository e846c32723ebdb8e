MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo run migrate test test-long test-unit lint fmt bench bench-chat bench-doors bench-share fuzz-api \
	chaos chaos-quick proto lock clean
.PHONY: up down ps logs secrets images push migrations scale shell superuser verify deploy rollback
.PHONY: backup restore stack-deploy stack-rollback stack-down test-deploy

# The scripts of a stack are told by what stands on the command line: PROJECT (which stack), TAG,
# REGISTRY, PORT, HOSTS, WORKERS.
python := .venv/bin/python
compile := uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links -q --custom-compile-command "make lock"
extras := pyproject.toml --extra mysql --extra redis --extra flower --extra chat

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup-run ## Fetch a demo site of its own, or the addresses in a file (URLS=list.txt), and print what came of it.
	@$(python) src/manage.py demo $(if $(URLS),--file "$(URLS)")

run: setup-run ## Run HashWorld whole on this machine: web, node and scheduler, without any server.
	@$(python) src/manage.py run

migrate: ## Bring the database up to date: the stack's when it is up, else that of this machine.
	@if [ -e .stacks/$(or $(PROJECT),hashworld)/env ] && scripts/stack.sh is-up; then scripts/stack.sh migrate; \
	else scripts/setup.sh run && $(python) src/manage.py prepare; fi

migrations: ## Write migrations for what has changed in the models; needs no service.
	@scripts/migrations.sh

up: ## Bring a whole cluster up with Docker compose, secrets and images included, and wait until it is healthy.
	@scripts/stack.sh up

down: ## Stop the cluster and remove its containers; its data stay.
	@scripts/stack.sh down

ps: ## List the cluster's containers and how they are.
	@scripts/stack.sh ps

logs: ## Follow the cluster's logs, or those of some services (SERVICES="web worker").
	@scripts/stack.sh logs $(SERVICES)

scale: ## Run so many workers (WORKERS=4); those that go finish or give back what they have.
	@scripts/stack.sh scale

shell: ## Open a Django shell in the cluster.
	@scripts/stack.sh shell

superuser: ## Make another administrator of the cluster.
	@scripts/stack.sh superuser

verify: ## Read every body that the cluster keeps and check it.
	@scripts/stack.sh verify

secrets: ## Make what is missing of the cluster's secrets.
	@scripts/stack.sh secrets

images: ## Build the images of this version (TAG=... names them otherwise).
	@scripts/images.sh build

push: ## Push the images to REGISTRY=registry.example.org/team/.
	@scripts/images.sh push

deploy: ## Move the cluster to another version while it works (TAG=..., else this one); goes back if it is not healthy.
	@scripts/deploy.sh deploy

rollback: ## Move the cluster back to the version before.
	@scripts/deploy.sh rollback

backup: ## Write database and packs of the running cluster into a folder (TO=..., else under backups/).
	@scripts/backup.sh backup

restore: ## Put a backup (FROM=folder) in the place of what the cluster has.
	@scripts/backup.sh restore

stack-deploy: ## Deploy the cluster as a swarm stack, or bring it to this clone's version (or TAG=...); with WORKERS=5 alone the version stays.
	@scripts/swarm.sh deploy

stack-rollback: ## Put every service of the swarm stack back to what it was before.
	@scripts/swarm.sh rollback

stack-down: ## Remove the swarm stack; its volumes stay.
	@scripts/swarm.sh down

test: setup-test ## Run lint and every test, on the embedded footing and on private MariaDB, RabbitMQ and Redis.
	@scripts/test.sh

test-long: setup-test ## Run the longer system tests and 10,000 races, on both footings.
	@scripts/test.sh long

test-deploy: setup-test ## Bring real clusters up with a Docker engine, break, upgrade, restore and remove them.
	@$(python) -m pytest tests/deploy

test-unit: setup-test ## Run the unit tests alone, which need no server.
	@$(python) -m pytest tests/unit

lint: setup-test ## Check style, formatting and types.
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	HASHWORLD_DATA_DIR=.mypy_cache/data $(python) -m mypy

fmt: setup-test ## Repair style and formatting where a tool can.
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

bench: setup-test ## Measure pages per second against other tools on this machine.
	@$(python) -m benchmarks

bench-chat: setup-test ## Measure the chatroom beside Django Channels, with 1,000 clients in one room.
	@HASHWORLD_DATA_DIR=.mypy_cache/data $(python) -m benchmarks.chat

bench-doors: setup-test ## Measure 100,000 URLs in and out by REST, beside an endpoint written the usual way.
	@$(python) -m benchmarks.doors

bench-share: setup-test ## Measure a small job alone, and beside another person's 100,000 URLs.
	@$(python) -m benchmarks.share

fuzz-api: setup-test ## Try the REST door with 5,000 cases made of its own description.
	@$(python) -m pytest tests/system/test_api_fuzz.py -m long

chaos-quick: setup-test ## Kill, freeze and cut off nodes and servers for a few minutes, and check that nothing is lost.
	@$(python) -m tests.chaos --quick

chaos: setup-test ## Break a cluster of four nodes at random for up to fifteen minutes, and tell how soon its work went on.
	@$(python) -m tests.chaos

proto: setup-test ## Remake the Python of communicate.proto, for HashWorld and for the chatroom.
	@scripts/proto.sh

lock: ## Remake the requirements files from pyproject.toml (needs uv).
	$(compile) $(extras) -o requirements.txt
	$(compile) $(extras) --extra dev --extra bench -c requirements.txt -o requirements-dev.txt
	@python3 scripts/extra.py chat | $(compile) - -c requirements.txt -o requirements-chat.txt

clean: ## Remove caches and build results; .venv and data stay.
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

setup-%:
	@scripts/setup.sh $*
