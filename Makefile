# make alone lists what there is.

SHELL    := bash
GO       ?= go
TOOL     := $(GO) tool -modfile=tools.mod
FUZZTIME ?= 30s
PACKAGES ?= ./...

.DEFAULT_GOAL := help
.PHONY: help test format vet staticcheck deadcode tidy rename renamed used check race fuzz bench compare campaign core plants sim-same sim-diff sim-large quorum-large cut kills joiner abuse late page cover ci

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## all tests that need nothing but Go
	$(GO) test ./...

check: format vet staticcheck tidy deadcode ## formatting, vet, staticcheck, tidy and deadcode

format: ## gofmt and gofumpt; lists what is not formatted
	@bad="$$(gofmt -l . && $(TOOL) gofumpt -l .)" && if [ -n "$$bad" ]; then echo "not formatted, run $(TOOL) gofumpt -w on:"; echo "$$bad"; exit 1; fi

vet: ## go vet, of the modules within too
	@for module in $$(find . -name go.mod -exec dirname {} + | sort); do (cd "$$module" && $(GO) vet ./...) || exit 1; done

staticcheck: ## staticcheck
	$(TOOL) staticcheck ./...

# Not tools.mod: go mod tidy -modfile would put into it all that this module imports.
tidy: ## go.mod and go.sum of each module are as go mod tidy leaves them
	@for module in $$(find . -name go.mod -exec dirname {} + | sort); do (cd "$$module" && $(GO) mod tidy -diff) || exit 1; done

deadcode: ## no function that neither a program nor a test calls
	@found="$$($(TOOL) deadcode -test ./...)" && if [ -n "$$found" ]; then echo "$$found"; exit 1; fi

# A damaged database leads bbolt's casts astray on purpose: package store
# turns that into an error, which the checks of its pointers would not let it.
# The scripts of cmd/hearsay wait for real processes most of the time, so more than one a core run
# at once, and alone, and so do those of agent: they want answers in time.
RACE := $(GO) test -race -short -gcflags=go.etcd.io/bbolt=-d=checkptr=0
race: ## tests under the race detector; a world and a protocol have one goroutine, so the long ones of these are left out
	$(RACE) $$($(GO) list ./... | grep -v -x -e '$(OLD)' | grep -v -E '/(sim|test/plants|quorum|roster|rumor|node|agent|cmd/hearsay)$$')
	$(RACE) -run SameBesideOthers ./sim
	$(RACE) -parallel 2 ./agent
	$(RACE) -parallel 5 ./cmd/hearsay

fuzz: ## each fuzz target for FUZZTIME (30s; or 5000x, so many runs)
	@grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sed 's|\(.*\)/[^/]*:.*func \(.*\)|\1 \2|' | sort -u | \
	while read -r directory target; do \
		echo "$$directory $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10s "$$directory" || exit 1; \
	done

bench: ## benchmarks beside the code
	$(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

compare: ## whole networks beside memberlist's, in the same run: about half an hour
	cd bench && $(GO) run .

FROM ?= 0
RUNS ?= 200
campaign: ## RUNS (200) drawn worlds of the simulator, from seed FROM (0)
	@mkdir -p bin && $(GO) build -o bin/hearsay ./cmd/hearsay
	bin/hearsay sim campaign --from $(FROM) --runs $(RUNS)

core: ## RUNS (200) drawn worlds of which only a core is left, from seed FROM (0)
	@mkdir -p bin && $(GO) build -o bin/hearsay ./cmd/hearsay
	bin/hearsay sim campaign --core --from $(FROM) --runs $(RUNS)

plants: ## the seeds that each planted bug of the simulator takes to be found
	@mkdir -p bin && $(GO) build -o bin/hearsay ./cmd/hearsay
	@for plant in $$(bin/hearsay sim campaign --list-plants); do \
		code=0; bin/hearsay sim campaign --runs 400 --plant $$plant >bin/plant.out 2>bin/plant.err || code=$$?; \
		printf '%-20s exit code %d after %s\n' $$plant $$code "$$(head -n 1 bin/plant.out)"; \
		case $$code in 3|4) ;; *) cat bin/plant.err; exit 1 ;; esac; \
	done

sim-same: ## the same seeds, on one core, on two and under the race detector, come to the same
	@mkdir -p bin && $(GO) build -o bin/hearsay ./cmd/hearsay && $(GO) build -race -o bin/hearsay-race ./cmd/hearsay
	GOMAXPROCS=1 bin/hearsay sim campaign --from $(FROM) --runs 12 --workers 1 >bin/one
	GOMAXPROCS=2 bin/hearsay sim campaign --from $(FROM) --runs 12 --workers 2 >bin/two
	bin/hearsay-race sim campaign --from $(FROM) --runs 12 >bin/raced
	cmp bin/one bin/two
	cmp bin/one bin/raced
	@grep ^log bin/one

SKIP    ?= ^$$
LONGEST := ^TestRapid|^TestThousandNodes|^TestMemoryOfNodes|^TestRumorsThroughChurn
sim-large: ## the tests of the simulator that take minutes: five in all on two cores, one for the longest
	@export HEARSAY_LARGE=1; code=0; \
	$(GO) test -timeout 20m -parallel 1 -run '$(LONGEST)' -skip '$(SKIP)' ./sim & \
	$(GO) test -timeout 20m -parallel 1 -skip '$(LONGEST)|$(SKIP)' ./sim ./test/plants || code=1; \
	wait $$! || code=1; exit $$code

quorum-large: ## worlds of seeds alone, thousands of each kind: some minutes
	HEARSAY_LARGE=1 $(GO) test -timeout 20m -run 'Histories|Register|Founding' ./quorum

ledger-large: ## a ledger of 20,000 rulings, saved and checked: half a minute
	HEARSAY_LARGE=1 $(GO) test -timeout 10m -run FromTheFounding -v ./cmd/hearsay

sim-diff: ## the simulations of this tree beside those of revision BASE, as a table: about a minute
	@test -n "$(BASE)" || { echo "which revision? make sim-diff BASE=main~10"; exit 2; }
	@base="$$(mktemp -d)"; trap 'git worktree remove --force "$$base/tree" 2>/dev/null; rm -rf "$$base"; git worktree prune' EXIT; \
	git worktree add --quiet --detach "$$base/tree" "$(BASE)" && \
	(cd "$$base/tree" && $(GO) build -o "$$base/hearsay" ./cmd/hearsay) && \
	mkdir -p bin && $(GO) build -o bin/hearsay ./cmd/hearsay && bin/hearsay sim diff "$$base/hearsay"

cut: ## two halves cut off from each other, in network namespaces: needs root, ip and nft
	HEARSAY_CUT=1 $(GO) test -count 1 -timeout 6m -parallel 4 -v ./test/cut

KILLS ?= 20
kills: ## kill -9 and kill -STOP of real processes, without seeds and with, KILLS (20) times each
	HEARSAY_KILLS=$(KILLS) $(GO) test -count 1 -timeout 20m -v ./test/kill

KEYS ?= 100000
JOINS ?= 8
joiner: ## JOINS (8) nodes with an empty store, one after the other, join four that hold KEYS (100000): time, memory, bytes
	HEARSAY_KEYS=$(KEYS) HEARSAY_JOINS=$(JOINS) $(GO) test -count 1 -timeout 60m -v ./test/joiner

ABUSE ?= 10
abuse: ## ABUSE (10) kills under 2,000 forged messages a second, a seed of 10,000 peers, floods by stream, and 600 HTTP clients that do not read
	HEARSAY_ABUSE=$(ABUSE) $(GO) test -count 1 -timeout 20m -v ./test/abuse

LATE ?= 20s
late: ## a peer whose packets are all late stays, watched for LATE (20s), in network namespaces: needs root and ip
	HEARSAY_LATE=$(LATE) $(GO) test -count 1 -timeout 5m -v -run LatePeer ./test/kill

page: ## the page in headless Chromium
	cd test/page && $(GO) test -count 1 -timeout 5m ./...

# Quoted paths that begin with the module's are always its packages; the name alone is one only where it is imported.
OLD = $(shell $(GO) list -m)
rename: ## give the module another path: make rename MODULE=host/path
	@test -n "$(MODULE)" || { echo "which path? make rename MODULE=example.com/hearsay"; exit 2; }
	find . -name .git -prune -o -type f \( -name '*.go' -o -name '*.mod' -o -name '*.md' \) -print | xargs sed -i.bak -E \
		-e 's#"$(OLD)/#"$(MODULE)/#g' \
		-e 's#^(import |	)"$(OLD)"$$#\1"$(MODULE)"#' \
		-e 's#(module +=) "$(OLD)"$$#\1 "$(MODULE)"#' \
		-e 's#^(module |replace |	)$(OLD)(/[a-z/]+)?( v0.0.0| =>|$$)#\1$(MODULE)\2\3#' \
		-e 's#(-require=|-replace=|The module is `)$(OLD)([@=`])#\1$(MODULE)\2#g'
	find . -name '*.bak' -delete
	gofmt -w .

renamed: ## try rename on a copy
	@copy="$$(mktemp -d)"; trap 'rm -rf "$$copy"' EXIT; set -e; \
	tar --exclude=./.git --exclude=./bin -cf - . | tar -xf - -C "$$copy"; \
	$(MAKE) --no-print-directory -C "$$copy" rename MODULE=example.com/some/hearsay; \
	cd "$$copy" && $(GO) build ./... && $(MAKE) --no-print-directory vet used && $(GO) test .

used: ## a program with the code of README.md uses the module as that says
	.ci/used

cover: ## coverage of all packages together
	$(GO) test -coverprofile coverage.out -coverpkg ./... ./...
	$(GO) tool cover -func coverage.out | tail -n 1

ci: ## all that CI does, as it does it
	.ci/run
