# Every command of the project. `make` alone prints this list.
.DEFAULT_GOAL := help
BUILD := build

.PHONY: help
help: ## Show the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check-tools
check-tools:
	@command -v go >/dev/null || { echo "missing: go (1.26 or later), see https://go.dev/dl"; exit 1; }

.PHONY: test
test: check-tools vet test-fast ## Run all tests

.PHONY: test-fast
test-fast: check-tools ## Run the tests that need no platform
	go test ./...

.PHONY: vet
vet: check-tools ## Run go vet and the format check
	go vet ./...
	@out=$$(gofmt -l $$(git ls-files '*.go' ':!cmd/otelcol-selfheal')); [ -z "$$out" ] || { echo "not formatted (run gofmt -w): $$out"; exit 1; }

.PHONY: build
build: check-tools ## Build the collector into build/ (eight minutes cold on two cores)
	cd cmd/otelcol-selfheal && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o ../../$(BUILD)/otelcol-selfheal .

.PHONY: generate
generate: check-tools ## Regenerate the vocabulary and cmd/otelcol-selfheal
	go generate ./...
	cd internal/tools && go build -o ../../$(BUILD)/tools/ go.opentelemetry.io/collector/cmd/builder
	$(BUILD)/tools/builder --config builder-config.yaml --skip-compilation

.PHONY: check-generated
check-generated: generate ## Fail when generated files are not what is committed
	@git diff --exit-code -- internal/vocab docs/vocabulary.md cmd/otelcol-selfheal || { echo "generated files are stale: run make generate and commit"; exit 1; }
