# vtagent: one binary, one Makefile. `make help` lists the targets.
# BUILD=release (default), asan, tsan: objects, archives and tests in build/$(BUILD)/.
BUILD ?= release
OUT := build/$(BUILD)
JOBS ?= $(shell nproc)
MAKEFLAGS += --no-builtin-rules

CC := gcc
PKGS := protobuf-c libevent jansson libzstd liblz4 zlib openssl libcurl
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
    -Wcast-align -Wwrite-strings -Wswitch-enum -Wnull-dereference -Wconversion
WERROR ?= -Werror
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

FLAGS_release := -O2 -D_FORTIFY_SOURCE=2
FLAGS_asan := -O1 -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined -DVTAGENT_DEBUG
FLAGS_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer -DVTAGENT_DEBUG
CFLAGS = -std=gnu11 -g -ffile-prefix-map=$(CURDIR)=. $(FLAGS_$(BUILD)) $(WARNINGS) $(WERROR) $(HARDENING) -D_GNU_SOURCE -I. -I$(GEN) \
    $(PKG_CFLAGS) -isystem /usr/include/mariadb
LDFLAGS = $(FLAGS_$(BUILD)) -pie -Wl,-z,relro,-z,now
LIBS = -lgrpc -lgpr -lprotobuf-c -levent_openssl -levent -lmariadb -ljansson -lcurl -lz -lisal -lzstd -llz4 -lssl -lcrypto -lm -pthread

GEN := build/proto
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

# Layers, lowest first; test/lint/layers.txt says who may include whom.
FOLDERS := agent/base agent/mysql replication backup/gcs backup agent/rpc agent/topo agent/tmclient \
    agent/supervisor agent/tablet agent/health agent/actions agent/job agent/handlers agent/ctl agent/web agent
PROTOS := $(wildcard proto/*.proto)
GEN_C := $(PROTOS:proto/%.proto=$(GEN)/%.pb-c.c)
GEN_H := $(GEN_C:.c=.h)
PROTO_LIB := $(OUT)/lib/proto.a

lib_of = $(OUT)/lib/$(subst /,_,$(1)).a
SOURCES_OF = $(filter-out agent/main.c,$(wildcard $(1)/*.c))
LIBRARIES := $(foreach folder,$(FOLDERS),$(call lib_of,$(folder)))
BINARY := $(OUT)/vtagent

.PHONY: all setup help demo-docker sbom lint format check check-asan check-tsan check-integration check-interop test demo \
    bench bench-vitess bench-backup bench-gcs bench-health check-fault fuzz-smoke coverage install clean proto
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINARY)  ## builds build/release/vtagent

help:  ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 22

# ---- generated code ----
proto: $(GEN_C)
$(GEN)/stamp: $(PROTOS)
	@mkdir -p $(GEN)
	protoc-c -Iproto --c_out=$(GEN) $(PROTOS)
	@touch $@
$(GEN_C) $(GEN_H): $(GEN)/stamp ;

$(OUT)/obj/$(GEN)/%.o: $(GEN)/%.c | $(GEN)/stamp
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -g -ffile-prefix-map=$(CURDIR)=. $(FLAGS_$(BUILD)) -fPIE -w -I$(GEN) $(PKG_CFLAGS) -c -o $@ $<
$(PROTO_LIB): $(GEN_C:%.c=$(OUT)/obj/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

# ---- our code ----
$(OUT)/obj/%.o: %.c $(GEN)/stamp
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS) -DVTAGENT_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

$(OUT)/obj/agent/web/assets.o: agent/web/page.css agent/web/page.js

define folder_rule
$(call lib_of,$(1)): $(patsubst %.c,$(OUT)/obj/%.o,$(call SOURCES_OF,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach folder,$(FOLDERS),$(eval $(call folder_rule,$(folder))))

$(BINARY): $(OUT)/obj/agent/main.o $(LIBRARIES) $(PROTO_LIB)
	@$(CC) $(LDFLAGS) -o $@ $(OUT)/obj/agent/main.o -Wl,--start-group $(LIBRARIES) $(PROTO_LIB) -Wl,--end-group $(LIBS)

# ---- unit tests: one program per folder, test/unit/<folder>/test_*.c ----
UNIT_FOLDERS := $(foreach folder,$(FOLDERS),$(if $(wildcard test/unit/$(folder)/test_*.c),$(folder)))
unit_of = $(OUT)/unit/$(subst /,_,$(1))
# A folder's tests link its own archive and those of the layers below it.
below_agent/base :=
below_agent/mysql := agent/base
below_replication := agent/mysql agent/base
below_backup/gcs := agent/base
below_backup := backup/gcs replication agent/mysql agent/base
below_agent/rpc := agent/base
below_agent/topo := agent/rpc agent/base
below_agent/tmclient := agent/topo agent/rpc agent/base
below_agent/supervisor := agent/tmclient agent/topo agent/rpc replication agent/mysql agent/base
below_agent/tablet := agent/tmclient agent/topo agent/rpc replication agent/mysql agent/base
below_agent/health := agent/tablet backup backup/gcs $(below_agent/tablet)
below_agent/actions := agent/tablet $(below_agent/tablet)
below_agent/job := agent/actions backup backup/gcs $(below_agent/actions)
below_agent/handlers := agent/health agent/job $(below_agent/job)
below_agent/ctl := agent/tmclient agent/topo agent/rpc backup backup/gcs replication agent/mysql agent/base
below_agent/web := agent/health agent/job $(below_agent/job)
below_agent := agent/web agent/handlers agent/ctl agent/supervisor $(below_agent/handlers)

ifeq ($(BUILD),release)
CRITERION_CFLAGS :=
CRITERION_LIBS := -lcriterion
CRITERION_MAIN :=
else
CRITERION_CFLAGS := -Itest/harness/plain
CRITERION_LIBS :=
CRITERION_MAIN := $(OUT)/obj/test/harness/plain/main.o
endif
$(OUT)/obj/test/%.o: test/%.c $(GEN)/stamp
	@mkdir -p $(@D)
	@$(CC) $(filter-out -Wmissing-prototypes -Wstrict-prototypes -Wconversion,$(CRITERION_CFLAGS) $(CFLAGS)) -MMD -MP -c -o $@ $<

define unit_rule
$(call unit_of,$(1)): $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard test/unit/$(1)/*.c)) $(CRITERION_MAIN) \
    $(call lib_of,$(1)) $(foreach lower,$(below_$(1)),$(call lib_of,$(lower))) $(PROTO_LIB)
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIBS) $(CRITERION_LIBS)
endef
$(foreach folder,$(UNIT_FOLDERS),$(eval $(call unit_rule,$(folder))))
UNITS := $(foreach folder,$(UNIT_FOLDERS),$(call unit_of,$(folder)))

units: $(UNITS)
check: $(UNITS)  ## unit tests (BUILD=asan, tsan: under sanitizers)
	@test/unit/run $(BUILD) $(UNITS)
check-asan:  ## unit tests under AddressSanitizer, UBSan, LeakSanitizer
	@$(MAKE) -j$(JOBS) BUILD=asan check
check-tsan:  ## unit tests under ThreadSanitizer
	@$(MAKE) -j$(JOBS) BUILD=tsan check

# ---- everything else is a script with one job ----
setup:  ## installs the packages that are missing; MySQL, MariaDB 11 and an emulator of GCS below build/
	@test/setup/packages.sh
	@test/setup/server.sh mysql
	@test/setup/server.sh mariadb-11
	@test/setup/fake_gcs.sh
lint:  ## includes, sizes, banned calls, format
	@test/lint/run
check-integration: $(BINARY)  ## real servers, real etcd
	@test/integration/run
check-interop: $(BINARY)  ## real Vitess programs
	@test/interop/run
check-fault: $(BINARY)  ## each system call fails once, each process is killed at random moments
	@test/fault/run
fuzz-smoke:  ## every fuzz target for a few seconds
	@test/fuzz/run
bench: $(BINARY)  ## the figures of the README
	@test/bench/run
bench-vitess: $(BINARY)  ## side by side with real vttablet
	@test/bench/run_vitess
bench-backup: $(BINARY)  ## backup and restore side by side with Vitess's
	@test/bench/run_backup
bench-health: $(BINARY)  ## what health costs, and how soon it tells
	@test/bench/run_health
bench-gcs: $(BINARY)  ## the same in a bucket that is far away, with failing requests
	@test/bench/run_gcs
test:  ## installs what is missing, builds, runs every test
	@test/run
demo:  ## installs what is missing, builds, runs the story
	@test/demo/run
demo-docker:  ## the story in containers: etcd, mysqld and agents
	@docker/base
	@docker/demo
sbom: $(BINARY)  ## bill of materials: build/vtagent.spdx.json
	@docker/sbom $(BINARY) build/vtagent.spdx.json
coverage:  ## line coverage of the unit tests, by folder
	@test/unit/coverage
format:  ## formats the sources in place
	@git ls-files '*.c' '*.h' | xargs clang-format -i
PREFIX ?= /usr/local
install: $(BINARY)  ## PREFIX, DESTDIR
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/vtagent
	ln -sf vtagent $(DESTDIR)$(PREFIX)/bin/vttablet
	ln -sf vtagent $(DESTDIR)$(PREFIX)/bin/mysqlctld
clean:  ## removes build/ but not the servers unpacked there
	rm -rf build/release build/asan build/tsan build/proto build/coverage

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
