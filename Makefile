MODULE_big   = autosync
EXTENSION    = control/autosync
DATA         = $(wildcard control/autosync--*.sql)
OBJS         = $(patsubst %.cpp,%.o,$(wildcard src/*.cpp src/*/*.cpp))
REGRESS      = $(patsubst sql/%.sql,%,$(wildcard sql/*.sql))
EXTRA_CLEAN  = $(OBJS:.o=.d)

PG_CONFIG   ?= pg_config
SANITIZE    ?=
PG_CPPFLAGS  = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS  = -std=c++20 -fvisibility=hidden -fvisibility-inlines-hidden -MMD -MP -Wall -Wextra -Wpedantic -Wshadow -Wold-style-cast -Wconversion -Werror
SHLIB_LINK   = -lcurl -lcrypto -lstdc++
ifneq ($(SANITIZE),)
PG_CXXFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -O1
SHLIB_LINK  += -fsanitize=$(SANITIZE)
endif

override with_llvm = no
PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
-include $(OBJS:.o=.d)
