# Two commands for everybody: `make run` and `make test`. Each installs what it needs first and says what it installs.
#
#   make run                  builds the image and boots it in a virtual machine, with kubectl ready; FRESH=1: on a new disk
#   make stop                 shuts that machine down; FORCE=1: takes its power away
#   make console              follows its console; NEW=1: only from now on
#   make smoke                builds, boots, fetches a page from a container, prints figures, powers off
#   make test                 everything that CI runs
#   make test SUITE=boot      one suite (the rows of .ci/suites)
#   make test-nightly         the longer campaigns: .ci/suites rows marked nightly, and the mutants
#   make images               disk images for all boards of the test matrix into target/images
#   make boot                 builds the x86_64 image and boots it on this terminal's console until Ctrl-C
#   make lint                 format and clippy
#   make record               builds the real Kubernetes 1.37.2 into a cache outside the tree and records its answers anew
#   make guest-figures        measures a booted device, for make figures
#   make figures              measures the figures of SPECIFICATION.md beside the real control plane and writes them
#   make figures GROUP=idle   one group of them, printed only; HOST_ONLY=1 leaves out what needs an image or a guest
#   make schema-check         regenerates the Kubernetes schema tables and compares them with the committed ones

SHELL := /bin/bash
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

ARCHITECTURE := $(shell uname -m)
export CORACLE_TARGET := $(ARCHITECTURE)-unknown-linux-musl
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export CORACLE_IMAGES ?= $(CARGO_TARGET_DIR)/images
export CORACLE_INIT ?= $(CARGO_TARGET_DIR)/$(CORACLE_TARGET)/device/coracle-init
export CORACLE_RUNTIME ?= $(CARGO_TARGET_DIR)/$(CORACLE_TARGET)/device/coracle-runtime

.PHONY: test test-nightly lint setup build images boot run stop console smoke machine mutants record figures guest-figures schema-check schema-generate clean-images

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

# The virtual machine's board has the host's instruction set.
VM_BOARD := $(if $(filter aarch64,$(ARCHITECTURE)),arm64-vm,x86_64-vm)
RUN := cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p qemu-tests --bin run --

# What a machine is made of; the oracle builds kubectl where PATH has none that fits.
machine: setup
	.ci/images $(VM_BOARD)
	cargo build --quiet --profile ci --target $(CORACLE_TARGET) -p oracle

run: machine
	$(RUN) start $(if $(filter-out 0,$(FRESH)),--fresh)

stop:
	$(RUN) stop $(if $(FORCE),--force)

console:
	$(RUN) console $(if $(NEW),--new)

smoke: machine
	$(RUN) smoke

mutants: setup
	.ci/build $(CORACLE_TARGET)
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p tidy --bin mutants

record: setup
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p oracle -- record
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p oracle -- record-scenarios

guest-figures: machine
	$(RUN) figures

figures: setup
	.ci/figures $(if $(GROUP),--group $(GROUP)) $(if $(HOST_ONLY),--host-only) $(if $(QUICK),--quick)

schema-check: setup
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p schema-generator -- check

schema-generate: setup
	cargo run --quiet --profile ci --target $(CORACLE_TARGET) -p schema-generator -- generate

clean-images:
	rm -rf -- "$(CORACLE_IMAGES)"
