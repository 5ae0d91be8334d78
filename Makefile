# Everything a person does with this project. `make` alone lists it.

BINARY := s3-replication-remediator-function
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

# What the end-to-end tests and the demo deploy. The tests take the build that `cargo test` has made anyway; the demo
# takes the one that a deployment takes.
TESTED := $(TARGET_DIR)/debug/$(BINARY)
DEPLOYED := $(TARGET_DIR)/lambda/$(BINARY)/bootstrap

# x86_64 or arm64.
ARCH ?= x86_64

TEMPLATES := template.yaml template-member.yaml forward-drift.yaml

BUILD_TOOLS := $(CURDIR)/.tools/build/bin
PYTHON := $(CURDIR)/.tools/emulator/bin/python

export SAM_CLI_TELEMETRY := 0

.PHONY: help demo invoke test check build deploy live package sbom bench growth faults soak sweep fuzz clean tools \
	check-format check-clippy test-core test-wire test-template test-deployed lint-template deny

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: tools ## Break a replication, be told why, have it repaired: in an emulator, without an AWS account
	@$(PYTHON) scripts/demo.py $(if $(BOOTSTRAP),$(BOOTSTRAP),--build "$(MAKE) --no-print-directory build" $(DEPLOYED))

invoke: tools ## Hand EVENT=events/... to the function, in an emulated account with a broken replication
	@$(if $(BOOTSTRAP),,cargo build --quiet --bin $(BINARY))
	@$(PYTHON) scripts/invoke.py $(or $(BOOTSTRAP),$(TESTED)) $(EVENT)

test: check-format check-clippy test-core test-wire test-template test-deployed ## Run all tests, as CI does

check: check-format ## Format, lints and tests of the core, without any AWS crate: the quick loop
	cargo clippy --no-default-features --all-targets -- -D warnings
	cargo test --no-default-features

build: tools ## Build the function for Lambda (ARCH=arm64 for Graviton)
	@scripts/need-target $(ARCH)
	PATH="$(BUILD_TOOLS):$$PATH" cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64) --bin $(BINARY)

deploy: tools ## Build and deploy the stack to your AWS account, asking for the settings (ARCH=arm64 for Graviton)
	@scripts/need-target $(ARCH)
	PATH="$(BUILD_TOOLS):$$PATH" sam build --parameter-overrides Architecture=$(ARCH)
	PATH="$(BUILD_TOOLS):$$PATH" $(BUILD_TOOLS)/python scripts/deploy.py $(ARCH)

live: build ## Tell the demo's story in a real AWS account of yours, and remove it again (asks first; less than 0.10 USD)
	@$(PYTHON) scripts/live.py $(LIVE) $(DEPLOYED)

package: build ## Put what a release is made of into dist/ (ARCH=arm64 for Graviton)
	$(PYTHON) scripts/package.py --architecture $(ARCH) --program $(DEPLOYED)

sbom: ## Write the bill of materials of the function into dist/ (installs cargo-cyclonedx once)
	cargo install --locked --quiet --root .tools/cyclonedx --version 0.5.9 cargo-cyclonedx
	PATH="$(CURDIR)/.tools/cyclonedx/bin:$$PATH" cargo cyclonedx --quiet --format json --no-default-features --features lambda --override-filename bom
	mkdir -p dist && mv bom.json dist/s3-replication-remediator.cdx.json

bench: tools ## Compare the function with one in Python and boto3, in an emulator (ARCH=x86_64; five minutes)
	@scripts/install-tools bench
	$(if $(BOOTSTRAP),,$(MAKE) --no-print-directory build)
	$(PYTHON) scripts/bench.py --write $(or $(BOOTSTRAP),$(DEPLOYED))

growth: ## Count what a look costs, from one rule to a thousand and from one policy to a hundred
	cargo bench --quiet --no-default-features --bench growth | python3 scripts/document.py PERFORMANCE.md growth

faults: tools ## Let every AWS call of the function fail in every way (COMBINATIONS=100; twenty minutes)
	$(if $(BOOTSTRAP),,cargo build --bin $(BINARY))
	$(PYTHON) scripts/faults.py --write --combinations $(or $(COMBINATIONS),100) $(or $(BOOTSTRAP),$(TESTED))

soak: tools ## Use the deployed function for SECONDS=3600, then send a storm of MESSAGES=10000
	$(if $(BOOTSTRAP),,cargo build --bin $(BINARY))
	$(PYTHON) scripts/soak.py --write --seconds $(or $(SECONDS),3600) --messages $(or $(MESSAGES),10000) $(or $(BOOTSTRAP),$(TESTED))

sweep: tools ## Sweep an account of BUCKETS=10000, also where S3 takes no more than a few calls in a second (forty minutes)
	$(if $(BOOTSTRAP),,cargo build --bins)
	$(PYTHON) scripts/sweep.py --write --buckets $(or $(BUCKETS),10000) $(or $(BOOTSTRAP),$(TESTED)) $(TARGET_DIR)/debug/s3-replication-remediator

fuzz: ## Feed generated input to TARGET=policy|decode|names|settings|render|forms for SECONDS=60 (cargo install cargo-fuzz)
	mkdir -p fuzz/corpus/$(FUZZED)
	cargo +nightly fuzz run $(if $(filter forms,$(FUZZED)),--features cli) $(FUZZED) fuzz/corpus/$(FUZZED) $(wildcard \
		fuzz/seeds/$(FUZZED)) $(SEEDS_$(FUZZED)) -- -dict=fuzz/json.dict -max_total_time=$(or $(SECONDS),60)

FUZZED = $(or $(TARGET),policy)
# What tests read serves as well: recorded events, and the accounts of the stories.
SEEDS_decode = events
SEEDS_render = tests/scenarios

clean: ## Remove what was built and the installed tools
	rm -rf .tools .aws-sam dist
	cargo clean

tools: ## Install the pinned tools into .tools/ (once; the other targets do it when needed)
	@scripts/install-tools build emulator sarif

check-format:
	cargo fmt --check

check-clippy:
	cargo clippy --no-default-features --all-targets -- -D warnings
	cargo clippy --all-targets -- -D warnings
	@# Where a library is named, none is built, and checking links none.
	CUSTOM_LIBFUZZER_PATH=none/libfuzzer.a cargo clippy --locked --manifest-path fuzz/Cargo.toml \
		--target-dir $(TARGET_DIR) -- -D warnings

test-core: ## Test the core alone
	cargo test --no-default-features

test-wire: ## Test everything that is written in Rust
	cargo test

test-template: tools ## Check the templates, and the commands that documents and reports tell people to run
	AWS_DEFAULT_REGION=eu-west-1 $(BUILD_TOOLS)/sam validate --lint --template template.yaml
	$(BUILD_TOOLS)/cfn-lint $(TEMPLATES)
	$(PYTHON) -m pytest --quiet tests/template

test-deployed: tools ## Test the deployed stack in an emulator
	$(if $(BOOTSTRAP),,cargo build --bins)
	BOOTSTRAP=$(abspath $(or $(BOOTSTRAP),$(TESTED))) $(PYTHON) -m pytest --quiet tests/deployed

lint-template: ## Look for what is unwise in the templates and workflows (installs 300 MB of tools, so it is not part of `make test`)
	@scripts/install-tools lint
	.tools/lint/bin/checkov --framework cloudformation --compact --quiet --skip-download --file $(TEMPLATES)
	.tools/lint/bin/zizmor --offline --quiet .github/workflows

deny: ## Check licences, sources and known vulnerabilities of the dependencies (cargo install cargo-deny)
	cargo deny check
