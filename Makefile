# Every command of the project. `make` alone prints this list.
.DEFAULT_GOAL := help
BUILD := build

.PHONY: help
help: ## Show the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check-tools
check-tools:
	@command -v go >/dev/null || { echo "missing: go (1.26 or later), see https://go.dev/dl"; exit 1; }

# Public data that the larger tests read, where it is there.
ifneq ($(wildcard ../shared/data),)
export SELFHEAL_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo
demo: check-tools ## Break a real Airflow and watch the collector heal it
	@cd testbed && go build -o ../$(BUILD)/tools/demo ./cmd/demo
	@exec $(BUILD)/tools/demo

.PHONY: test
test: check-tools vet test-fast test-platform test-endtoend test-scenarios ## Run all tests

.PHONY: test-fast
test-fast: check-tools ## Run the tests that need no platform
	go test ./...
	cd testbed && go test ./...

.PHONY: test-platform
test-platform: check-tools ## Run the component tests that need a real database
	go test -tags platform -count=1 ./receiver/dataqualityreceiver/...

.PHONY: test-endtoend
test-endtoend: build build-slim ## Run the built programs as a user does, without a platform
	cd testbed && SELFHEAL_ENDTOEND=1 go test -count=1 -timeout 10m ./endtoend

.PHONY: test-scenarios
test-scenarios: build build-slim ## Break a real Airflow in many ways and judge by its database and tables
	cd testbed && SELFHEAL_PLATFORMS=1 go test -count=1 -p 1 -parallel 8 -timeout 60m ./...

# What `make fuzz` covers and for how long each target runs: FUZZ=./receiver/... FUZZTIME=60s
FUZZ ?= .
FUZZTIME ?= 5s

.PHONY: fuzz
fuzz: check-tools ## Run every fuzz target for a while (FUZZTIME, FUZZ: a folder)
	@git grep -n '^func Fuzz' -- '$(FUZZ)/*_test.go' | sed -E 's/^(.*)\/[^/]*:[0-9]+:func (Fuzz[A-Za-z0-9]*).*/\1 \2/' | while read -r dir target; do \
		echo "fuzz $$dir $$target for $(FUZZTIME)"; \
		run="go test -run xxx -fuzz ^$$target$$ -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$dir"; \
		$$run || { echo "once more: what was found is a seed now and fails again, a worker that was late is not"; go test -run "^$$target$$" ./$$dir && $$run; } || exit 1; \
	done

.PHONY: vet
vet: check-tools ## Run go vet and the format check
	go vet ./...
	cd testbed && go vet ./...
	@out=$$(gofmt -l $$(git ls-files '*.go' ':!cmd/otelcol-selfheal')); [ -z "$$out" ] || { echo "not formatted (run gofmt -w): $$out"; exit 1; }

.PHONY: lint
lint: check-tools ## Run golangci-lint
	cd internal/tools && go build -o ../../$(BUILD)/tools/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(BUILD)/tools/golangci-lint run ./...

.PHONY: build
build: check-tools ## Build the collector into build/ (eight minutes cold on two cores)
	cd cmd/otelcol-selfheal && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o ../../$(BUILD)/otelcol-selfheal .
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $(BUILD)/selfheal ./cmd/selfheal

.PHONY: build-slim
build-slim: tools ## Build the slim collector into build/, for sidecars
	@mkdir -p $(BUILD)
	$(BUILD)/tools/builder --config builder-config.slim.yaml --skip-compilation
	cd $(BUILD)/slim && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o ../otelcol-selfheal-slim .

.PHONY: tools
tools: check-tools
	cd internal/tools && go build -o ../../$(BUILD)/tools/ go.opentelemetry.io/collector/cmd/builder go.opentelemetry.io/collector/cmd/mdatagen

.PHONY: generate
generate: tools ## Regenerate the vocabulary, the components' metadata and cmd/otelcol-selfheal
	PATH="$(CURDIR)/$(BUILD)/tools:$$PATH" go generate ./...
	$(BUILD)/tools/builder --config builder-config.yaml --skip-compilation

.PHONY: check-generated
check-generated: generate ## Fail when generated files are not what is committed
	@git diff --exit-code || { echo "generated files are stale: run make generate and commit"; exit 1; }
