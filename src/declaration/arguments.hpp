// Arguments that the functions of this folder share.
#pragma once

#include <string>

#include "config/options.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

[[nodiscard]] std::string json_argument(FunctionCallInfo fcinfo, int index);
/// Of a jsonb argument. Raises 22023 for anything but an object with values.
[[nodiscard]] config::Options options_argument(FunctionCallInfo fcinfo, int index);

} // namespace autosync::declaration
