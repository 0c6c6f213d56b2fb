# Two commands for everybody: `make run` and `make test`. Each installs what it needs first and says what it installs.
#
#   make test                 everything that CI runs
#   make test SUITE=boot      one suite (the rows of .ci/suites)
#   make test-nightly         the longer campaigns: .ci/suites rows marked nightly, and the mutants
#   make images               disk images for all boards of the test matrix into target/images
#   make boot                 builds the x86_64 image and boots it on this terminal's console until Ctrl-C
#   make lint                 format and clippy
#   make record               builds the real Kubernetes 1.37.2 into a cache outside the tree and records its answers anew
#   make schema-check         regenerates the Kubernetes schema tables and compares them with the committed ones

SHELL := /bin/bash
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

ARCHITECTURE := $(shell uname -m)
export CORACLE_TARGET := $(ARCHITECTURE)-unknown-linux-musl
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export CORACLE_IMAGES ?= $(CARGO_TARGET_DIR)/images
export CORACLE_INIT ?= $(CARGO_TARGET_DIR)/$(CORACLE_TARGET)/device/coracle-init

.PHONY: test test-nightly lint setup build images boot run mutants record schema-check schema-generate clean-images

test: setup
	.ci/test $(SUITE)

test-nightly: setup
	.ci/test --nightly
	$(MAKE) mutants

setup:
	.ci/setup

lint: setup
	.ci/lint

build: setup
	.ci/build $(CORACLE_TARGET)

images: setup
	.ci/images

boot: setup
	.ci/images x86_64-vm
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p qemu-tests --bin boot

run:
	@echo "make run joins when the image has its uplink (docs/vertical-line.md, landing 9); until then 'make boot' boots the image to /readyz on its console" >&2
	@exit 1

mutants: setup
	.ci/build $(CORACLE_TARGET)
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p tidy --bin mutants

record: setup
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p oracle -- record
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p oracle -- record-scenarios

schema-check: setup
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p schema-generator -- check

schema-generate: setup
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p schema-generator -- generate

clean-images:
	rm -rf -- "$(CORACLE_IMAGES)"
