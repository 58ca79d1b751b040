# What the checks run besides Go: program, or program:package where Debian's
# package has another name. The race detector needs the C compiler.
up_programs := redis-server haproxy curl ps:procps
programs := gcc node:nodejs npm chromium nginx $(up_programs)
bench_programs := gcc taskset:util-linux redis-server nginx /usr/lib/nginx/modules/ngx_nchan_module.so:libnginx-mod-nchan

# Where Debian has servers, but not for everyone.
export PATH := $(PATH):/usr/sbin

# GOFLAGS may turn Go's own stamp off, and a tarball has no git at all.
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

.DEFAULT_GOAL := help
.PHONY: help test check build up down fuzz properties load pipe latency isolation storm churn bench conflation answers faults simulation storm-simulation torture torture-selftest soak pictures

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

test: ## install what the tests need (apt, as root), then do all checks
	@scripts/need --install $(programs)
	@scripts/check

check: ## the same without installing anything
	@scripts/need $(programs)
	@scripts/check

build: ## make bin/hub and bin/publisher
	go build -buildvcs=false -trimpath -ldflags '-X main.version=$(version)' -o bin/ ./cmd/hub ./cmd/publisher

up: build ## start Redis, three hubs and HAProxy in the background (installs the two by apt, as root)
	@scripts/need --install $(up_programs)
	@scripts/up

down: ## end what make up has started
	@scripts/down

fuzz: ## run every fuzz test for a minute
	@scripts/fuzz 1m

properties: ## look for broken promises for long, in memory and over Redis
	go test -race -count=1 -timeout 1h -run TestPromises ./internal/hub/ -rapid.checks=1000

load: ## the load test with 10,000 subscribers
	LOAD_SUBSCRIBERS=10000 go test -count=1 -v -run TestLoad -timeout 10m ./cmd/hub/

pipe: ## a million lines through "publisher pipe" while connections are cut and a node is killed
	PIPE_LINES=1000000 go test -count=1 -v -run 'TestPipe$$' -timeout 20m ./cmd/hub/

latency: ## how long events take through nginx and HAProxy: 100 of them, one a second
	LATENCY_EVENTS=100 go test -count=1 -v -run TestLatency -timeout 10m ./cmd/hub/

isolation: ## what 1,000 clients that have stopped reading cost the others: five rounds without and with them
	ISOLATION_ROUNDS=5 go test -count=1 -v -run 'TestIsolation$$' -timeout 30m ./cmd/hub/

storm: ## 15,000 clients in three processes whose node dies: they all come to another one
	STORM=15000 go test -count=1 -v -run 'TestStorm$$' -timeout 30m ./cmd/hub/

churn: ## 40,000 streams opened and dropped in every way while events are written to them, under the race detector
	CHURN=40000 go test -race -count=1 -v -run 'TestChurn$$' -timeout 30m ./internal/stream/

bench: build ## the hub beside the floor and Nchan, in bench/RESULTS.md; CASE=name,name some, ROUNDS=n, BENCH=short a trial
	@scripts/need --install $(bench_programs)
	go build -o bin/bench ./bench
	bin/bench --hub bin/hub --rounds $(or $(ROUNDS),$(if $(BENCH),1,5)) $(if $(BENCH),--time 1s --share 0.1) \
		$(if $(CASE),--case $(CASE)) $(if $(BENCH)$(CASE),,--out bench)

conflation: ## 20 readers at 10 KB/s of 500 keys that change 10,000 times a second, and of a log
	CONFLATION=full go test -count=1 -v -run 'TestSlowReaders$$' -timeout 30m ./cmd/hub/

answers: ## 10,000 answers token by token, 500 at once, on two nodes
	ANSWERS=full go test -count=1 -v -run 'TestAnswers$$' -timeout 30m ./cmd/hub/

faults: ## the fault tests at full length, one after the other
	FAULTS=full go test -count=1 -v -parallel 1 -timeout 30m ./internal/referee/

simulation: ## runs of whole clusters in made-up time, by seed; SEEDS=n says how many, FIRST=n from which on
	go test -count=1 -timeout 10h -run TestSimulation ./internal/simulation/ -first=$(or $(FIRST),1) -seeds=$(or $(SEEDS),20000)

storm-simulation: ## a million streams that break at once and come back, in made-up time, or STORM=n; draws docs/storm.svg
	STORM=$(or $(STORM),1000000) STORM_PLOT=$(CURDIR)/docs/storm.svg go test -count=1 -v -run 'TestStorm$$' -timeout 1h ./internal/limit/

torture: ## the table of faults; CASE=name,name and SEED=n repeat some, TORTURE_TABLE=file keeps it
	@scripts/need redis-server haproxy
	TORTURE=full go test -count=1 -v -run 'TestTorture$$' -timeout 3h ./internal/torture/

torture-selftest: ## what the table would show if hubs had defects; DEFECT=name,name tries some, TORTURE_TABLE=file keeps it
	@scripts/need redis-server haproxy
	TORTURE=selftest go test -count=1 -v -run 'TestSelfTest$$' -timeout 4h ./internal/torture/

soak: ## three hubs, 5,000 clients and a fault every 20 s for 20 minutes, or SOAK=…; draws docs/soak.svg
	@scripts/need redis-server haproxy
	SOAK=$(or $(SOAK),20m) SOAK_PLOT=$(CURDIR)/docs/soak.svg go test -count=1 -v -run 'TestSoak$$' -timeout 48h ./internal/torture/

pictures: ## make the pictures of pages in docs/ anew (best with the font Inter: Debian's fonts-inter)
	@scripts/need chromium redis-server haproxy
	@dir=$$(mktemp -d) && trap 'rm -r "$$dir"' EXIT && \
	CONSOLE_PICTURES=$$dir go test -count=1 -run 'TestConsole/makes_pictures' ./internal/web/ && \
	CHAT_PICTURES=$$dir go test -count=1 -run 'TestPage' ./examples/chat/ && \
	cp $$dir/console-light.png $$dir/console-dark.png $$dir/console-phone.png docs/ && \
	cp $$dir/chat-answer.png docs/chat.png
