#include "declaration/arguments.hpp"

namespace autosync::declaration {

std::string json_argument(FunctionCallInfo fcinfo, int index)
{
    const Datum json = fcinfo->args[index].value;
    return pg::call([json] { return DatumGetCString(DirectFunctionCall1(jsonb_out, json)); });
}

config::Options options_argument(FunctionCallInfo fcinfo, int index) { return config::options_from_json(json_argument(fcinfo, index)); }

} // namespace autosync::declaration
