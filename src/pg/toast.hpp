// Beside pg/postgres.hpp: the sizes from which on rows go out of line.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/heaptoast.h"
}
