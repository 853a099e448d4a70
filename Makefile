# SPDX-License-Identifier: Apache-2.0
# A thin door: every target calls a script or CMake, and can be called twice without harm.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
BUILD := build
PRESET := release
FUZZ_SECONDS ?= 60

# CUDA=1: programs for GPUs, in a build folder of their own, and what runs them.
ifeq ($(CUDA),1)
  ifneq ($(filter test test-fast build,$(MAKECMDGOALS)),)
    $(error CUDA=1 is for make programs and what runs them; make test compiles for GPUs by itself where nvcc is)
  endif
  BUILD := build-cuda-worker
  PRESET := release-cuda
  DEPS := --cuda
endif

.DEFAULT_GOAL := help
.PHONY: help deps test-deps configure programs build demo corpus study-small study gemma3 sharding test test-fast \
  gpu-test gpu-accept gpu-bundle torchao-test llama-test nightly-deps sanitize fuzz nightly tidy format bench \
  bench-train-step bench-inference bench-packed bench-tax bench-shard clean distclean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install what building needs (Debian packages, LibTorch into .deps/)
	@tools/deps.sh $(DEPS)

test-deps: ## Install that, and the servers that the tests start
	@tools/deps.sh --test

configure: deps
	@tools/step.sh configure "configuring" $(BUILD)/configure.log cmake --preset $(PRESET)

programs: configure ## Build ridgeline, ridgeline-coordinator and ridgeline-worker into build/bin; CUDA=1 for GPUs
	@tools/build.sh $(BUILD) $(JOBS) programs

build: configure ## Build everything, tests included
	@tools/build.sh $(BUILD) $(JOBS) all

demo: programs ## From real text to a measured frontier in out/demo, 5 to 10 minutes of training
	@tools/demo.sh $(BUILD)/bin out/demo

corpus:  # Said before anything is built.
	@[ -z "$$CORPUS" ] || tools/study_corpus.py "$$CORPUS" > /dev/null

study-small: corpus programs ## Four estimators at six precisions on gpt-nano; SEEDS="1337 2 3" LR=6e-3 CORPUS=book.txt
	@tools/study.sh $(BUILD)/bin out/study small $(SEEDS) $(SET)

study: programs ## The whole matched study, in out/study-full: three seeds unless SEEDS says, many hours
	@tools/study.sh $(BUILD)/bin out/study-full full $(SEEDS)

gemma3: programs ## Gemma 3 270M's real weights at four bits, four estimators: about 25 minutes; STUDIES="a4w4 a1w1"
	@tools/gemma3.sh $(BUILD)/bin out/gemma3 $(STUDIES)

sharding: programs ## One training on one to four ranks, shared and whole, and how far apart they are; SEEDS="1337 2"
	@tools/sharding.sh $(BUILD)/bin out/sharding $(SEEDS)

test: test-deps configure ## Set up, build and run every test
	@tools/check_tree.sh
	@tools/build.sh $(BUILD) $(JOBS) all
	@tools/run_tests.sh $(BUILD)

test-fast: build ## Only the unit tests
	@ctest --test-dir $(BUILD) -L unit --output-on-failure -j $(JOBS)

gpu-test: ## Compile the CUDA kernels and run their test on this machine's GPU (needs nvcc; not LibTorch or gRPC)
	@tools/gpu_test.sh

gpu-accept: ## What has to be seen on GPUs, in 8 minutes: a table and out/gpu-accept/results.json; says what is missing
	@tools/gpu_accept.sh

gpu-bundle: ## The same for a GPU machine without compilers: out/gpu-bundle.tar.xz, to be made where nvcc is
	@tools/deps.sh --cuda
	@tools/gpu_bundle.sh

torchao-test: configure ## Our torchao estimator against the package, which this installs into .deps/torchao (5 GB)
	@tools/build.sh $(BUILD) $(JOBS) quant_kernels_test
	@tools/torchao_test.sh $(BUILD)

llama-test: programs ## GGUF with codes in llama.cpp itself, which this builds into .deps/llama (10 minutes and more)
	@tools/llama_test.sh $(BUILD)/bin

nightly-deps: ## Install what sanitize, fuzz, nightly, tidy and format need (clang)
	@tools/deps.sh --nightly

sanitize: nightly-deps ## Everything without LibTorch under asan, ubsan and clang's check of locks; threads under tsan
	@tools/sanitize.sh $(JOBS)

fuzz: nightly-deps ## Every fuzz target, FUZZ_SECONDS=60 each; what fails is kept in out/fuzz
	@tools/fuzz.sh $(JOBS) $(FUZZ_SECONDS)

nightly: nightly-deps ## fuzz and sanitize; with MINUTES=30 only what ends in them
	@tools/nightly.sh $(JOBS) $(FUZZ_SECONDS) $(MINUTES)

tidy: nightly-deps configure ## clang-tidy over what differs from main; FILES="a.cc b.cc" over those
	@tools/tidy.sh $(BUILD) $(FILES)

format: nightly-deps ## clang-format over the tree
	@git ls-files '*.cc' '*.h' '*.cu' '*.cuh' '*.proto' | xargs clang-format-14 -i

bench: programs ## Benchmarks that end within 10 minutes; results in out/bench
	@bench/run.sh $(BUILD) out/bench

bench-train-step: programs ## Training steps against transformers and torchao, 5 rounds, about 40 minutes
	@cmake --build $(BUILD) --target train_step_bench > /dev/null
	@$${PYTHON:-python3} bench/train_step.py $(BUILD)/bin/train_step_bench out/bench

bench-inference: programs ## Generation and scoring against transformers, 5 rounds, about 6 minutes
	@cmake --build $(BUILD) --target inference_bench > /dev/null
	@$${PYTHON:-python3} bench/inference.py $(BUILD)/bin/inference_bench out/bench

bench-packed: programs ## Packed layers and models against LibTorch, NumKong and llama.cpp, about 20 minutes
	@cmake --build $(BUILD) --target packed_bench inference_bench > /dev/null
	@$${PYTHON:-python3} bench/packed.py $(BUILD)/bin/packed_bench out/bench

bench-tax: programs ## Training steps with quantization over without
	@cmake --build $(BUILD) --target train_step_bench > /dev/null
	@$${PYTHON:-python3} bench/tax.py $(BUILD)/bin/train_step_bench out/bench

bench-shard: programs ## Collectives beside MPI's, and what gradients travel in, between two ranks
	@cmake --build $(BUILD) --target shard_bench > /dev/null
	@OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1 \
	  mpirun -n 2 --oversubscribe --bind-to none $(BUILD)/bin/shard_bench collectives gradients

clean: ## Remove build folders and results
	rm -rf build build-* out

distclean: clean ## Remove LibTorch and caches too
	rm -rf .deps .cache
