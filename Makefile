# Tasks need nothing installed beforehand: they set up what is missing. Everything else is PGXS's (all, install, clean, installcheck, …).
TASKS = check torture fuzz check-versions check-sanitized check-assert check-valgrind demo bench bench-peers setup docs compile_commands format tidy

ifeq ($(filter-out $(TASKS),$(or $(MAKECMDGOALS),all)),)
.PHONY: $(TASKS)

check: setup
	scripts/check
torture: setup
	/usr/bin/python3 test/fault/torture.py
check-versions: setup
	scripts/versions check
check-assert: setup
	@scripts/setup assert
	scripts/versions check assert
check-sanitized: setup
	scripts/sanitize
check-valgrind: setup
	@scripts/setup bench
	scripts/valgrind
fuzz: setup
	@scripts/setup fuzz
	scripts/fuzz
demo: setup
	scripts/demo
bench: setup
	bench/run
bench-peers: setup
	bench/run peers
setup:
	@scripts/setup
docs: setup
	scripts/reference
compile_commands:
	cmake -S . -B build/cmake -G Ninja
	ln -sf build/cmake/compile_commands.json compile_commands.json
format:
	@scripts/setup develop
	clang-format -i $(shell find src test -name '*.cpp' -o -name '*.hpp')
tidy: compile_commands
	@scripts/setup develop
	clang-tidy -p build/cmake --quiet $(or $(FILES),$(shell find src -name '*.cpp'))

else
MODULE_big   = autosync
EXTENSION    = control/autosync
DATA         = $(wildcard control/autosync--*.sql)
OBJS         = $(patsubst %.cpp,%.o,$(wildcard src/*.cpp src/*/*.cpp))
REGRESS      = $(patsubst sql/%.sql,%,$(wildcard sql/*.sql))
EXTRA_CLEAN  = $(OBJS:.o=.d) $(wildcard src/*.faults.[do] src/*/*.faults.[do] autosync_faults.so) build compile_commands.json

PG_CONFIG   ?= pg_config
SANITIZE    ?=
# Places that tests make fail (src/pg/fault.hpp): a library of its own, of which only the files with such places are compiled apart.
FAULTS      ?=
# Of debug information: names and lines for a backtrace. With variables (DEBUG=2) the compiler takes half as long again.
DEBUG       ?= 1
PG_CPPFLAGS  = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS  = -std=c++20 -fvisibility=hidden -fvisibility-inlines-hidden -MMD -MP -Wall -Wextra -Wpedantic -Wshadow -Wold-style-cast -Wconversion -Werror -g$(DEBUG)
SHLIB_LINK   = -lcurl -lcrypto -lsimdjson -lstdc++
ifneq ($(SANITIZE),)
# The checks that this adds hide from the compiler what fits. Without optimisation it is built in half the time.
PG_CXXFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -O0 -Wno-error=conversion
SHLIB_LINK  += -fsanitize=$(SANITIZE)
endif

ifneq ($(FAULTS),)
FAULTY       = $(shell grep -lE 'AUTOSYNC_(DEFINE_)?FAULTS?' src/*.cpp src/*/*.cpp)
MODULE_big   = autosync_faults
OBJS        := $(filter-out $(FAULTY:.cpp=.o),$(OBJS)) $(FAULTY:.cpp=.faults.o)
endif

override with_llvm = no
PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
# Newer servers are built with what an older gcc, or g++, does not know.
override CFLAGS := $(filter-out -Wmissing-variable-declarations,$(CFLAGS))
override CXXFLAGS := $(filter-out -fexcess-precision=standard -Wmissing-variable-declarations,$(CXXFLAGS))
-include $(OBJS:.o=.d)
%.hpp.gch: %.hpp
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<
%.faults.o: %.cpp
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -DAUTOSYNC_FAULTS -c -o $@ $<
endif
