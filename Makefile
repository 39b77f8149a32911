# Every command a person types. `make help` lists them.

# The program to run; a packager may name a built one: make run WAGGLE=/usr/bin/waggle
WAGGLE ?= cargo run --bin waggle --

.DEFAULT_GOAL := help
.PHONY: help run demo install build test browser test-tools check deny fmt docs reference bench

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

# Says once that the first build takes minutes; cargo then shows what it builds.
define building
	@test -e target/debug/waggle || echo "Building Waggle. The first time this takes a few minutes." >&2
endef

run: ## build and start Waggle at http://127.0.0.1:8000, on SQLite in ./data
	$(building)
	@$(WAGGLE) serve

demo: ## walk the main job over HTTP, and say what happened at each step
	$(building)
	@WAGGLE_LOG=$${WAGGLE_LOG:-error} $(WAGGLE) demo

build: ## build the release binary, target/release/waggle
	cargo build --release --bin waggle

install: ## build the release binary and put `waggle` on the path (~/.cargo/bin)
	cargo install --locked --path crates/app

test: test-tools ## run every test, on SQLite and on a PostgreSQL that is started for it
	scripts/with-postgres cargo test --workspace --quiet

browser: test-tools ## open the console in Chromium, check it, and write pictures into target/browser
	cargo test --quiet -p waggle --test browser

test-tools: ## fetch the programs that tests compare Waggle with, pinned and checksummed
	@scripts/test-tools

check: ## format, clippy, the rules between crates, docs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo test --quiet -p waggle --test architecture
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

# Compiled into target/ the first time, which takes minutes, so it is no part of `make check`.
deny: ## licences, duplicates and sources of the dependencies (deny.toml)
	cargo install --quiet --locked --root target/cargo-deny --version 0.20.2 cargo-deny
	target/cargo-deny/bin/cargo-deny check licenses bans sources

fmt: ## format the code
	cargo fmt --all

docs: ## build the crates' documentation into target/doc
	cargo doc --workspace --no-deps

reference: ## write docs/settings.md and docs/openapi.json from the code
	$(WAGGLE) settings reference > docs/settings.md.new && mv docs/settings.md.new docs/settings.md
	$(WAGGLE) openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

bench: test-tools ## measure through HTTP on both databases, beside the raw rates of the same databases
	WAGGLE_POSTGRES_DURABLE=1 scripts/with-postgres cargo bench -p waggle --bench pipeline
	cargo test --quiet -p waggle --test browser -- --ignored --nocapture measure
