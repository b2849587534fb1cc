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

.PHONY: lint
lint: check-tools ## Run golangci-lint
	cd internal/tools && go build -o ../../$(BUILD)/tools/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(BUILD)/tools/golangci-lint run ./...

.PHONY: build
build: check-tools ## Build the collector into build/ (eight minutes cold on two cores)
	cd cmd/otelcol-selfheal && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o ../../$(BUILD)/otelcol-selfheal .

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
