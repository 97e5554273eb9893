# make            builds bin/hardrun, static; installs nothing
# make libseccomp the same with --filter-backend=libseccomp, by gcc and glibc (libseccomp-dev, pkg-config)
# make demo       named on port 53 without privilege, step by step (root, Debian: installs what it needs, and says so)
# make test       all tests (root: all of them; else what can run, and what could not is listed)
# make test-faults every system call of 17 kinds of launches made to fail and to lie, and every lack of privilege (root, half an hour)
# make test-vm    what needs a machine with cgroup2 alone, on Debian's kernels in qemu (root installs what it needs)
# make lint       gofumpt, vet, staticcheck, errcheck, govulncheck
# make fuzz       every fuzz target, FUZZTIME in all (default 10m)
# make bench      launches next to their peers, as ratios of the same run
# make generate   the man page and other generated files; make test fails when they are stale
# make release    static binaries of amd64 and arm64 in dist/, with checksums, SBOM and how they were built
# make reproducible builds them twice, under different circumstances, and compares
# make install    DESTDIR and PREFIX as usual

GO      ?= go
PREFIX  ?= /usr/local
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
TAGS    := osusergo,netgo
MUSL    := $(shell command -v musl-gcc 2>/dev/null)
CC_USED := $(if $(MUSL),musl-gcc,$(if $(filter default,$(origin CC)),gcc,$(CC)))
STRIP   ?= -s -w
EXTLD   ?= -static
OUT     ?= bin/hardrun
# Functions are not padded to 32 bytes each: a fiftieth less to read in, and five page faults fewer.
LDFLAGS := $(STRIP) -linkmode external -extldflags "$(EXTLD)" -funcalign=4 -X main.Version=$(VERSION)
# Own code is not inlined: a tenth of the binary less to read in, and no slower, as a launch
# spends its time in the kernel and in the start of the Go runtime.
GCFLAGS := github.com/hardrun/hardrun/...=-l
FUZZTIME ?= 10m

.PHONY: all build libseccomp demo test test-faults test-vm lint fuzz bench generate release reproducible install clean setup

all: build

build:
	@echo "building $(OUT), static, with $(CC_USED)$(if $(MUSL),, (musl-gcc is not here: static glibc starts 0.5 ms slower))"
	@mkdir -p $(dir $(OUT))
	CC=$(CC_USED) CGO_ENABLED=1 $(GO) build -trimpath -tags $(TAGS) -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)' -o $(OUT) ./cmd/hardrun

# Distributions have libseccomp for their own C library alone.
libseccomp:
	@$(MAKE) --no-print-directory build TAGS=$(TAGS),libseccomp CC_USED=$(if $(filter default,$(origin CC)),gcc,$(CC))

setup:
	@sh integration/setup.sh $(SETUP)

demo: SETUP = demo
demo: setup build
	sh integration/demo.sh

test: SETUP = test
test: setup build
	sh integration/test.sh

test-faults: SETUP = test
test-faults: setup
	sh integration/faults.sh

test-vm: build
	sh integration/vm.sh

lint:
	sh integration/lint.sh

fuzz:
	sh integration/fuzz.sh $(FUZZTIME)

bench: SETUP = bench
bench: setup build
	sh integration/bench.sh

generate:
	$(GO) generate ./...

release: SETUP = release
release: setup
	sh integration/release.sh build dist
	HARDRUN_DIST=$(CURDIR)/dist HARDRUN=$(CURDIR)/dist/hardrun-linux-amd64 $(GO) test -count=1 -run '^TestRelease' ./integration
	sh integration/release.sh vulnerable dist/hardrun-linux-amd64 dist/hardrun-linux-arm64

reproducible: SETUP = release
reproducible: setup
	sh integration/release.sh reproducible

install: build
	install -D -m 0755 bin/hardrun $(DESTDIR)$(PREFIX)/bin/hardrun
	install -D -m 0644 doc/hardrun.1 $(DESTDIR)$(PREFIX)/share/man/man1/hardrun.1
	bin/hardrun completion bash | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/hardrun

clean:
	rm -rf bin dist
