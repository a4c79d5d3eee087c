#include <cstring>

#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "mapping/document.hpp"
#include "mapping/json.hpp"

namespace autosync::fuzz {

using namespace mapping;

/// What rows hold becomes valid JSON whatever it is, and a text that is UTF-8 stays what it is.
FUZZ(json_texts)
{
    std::string out;
    json::append_string(out, bytes);
    const auto read = nlohmann::json::parse(out);
    holds(read.is_string());
    std::string quoted;
    json::append_string(quoted, read.get_ref<const std::string &>());
    holds(quoted == out);

    Input input{bytes};
    double real = 0;
    std::int64_t whole = 0;
    std::memcpy(&whole, bytes.data(), std::min(sizeof whole, bytes.size()));
    std::memcpy(&real, bytes.data(), std::min(sizeof real, bytes.size()));
    // As many digits as it has: a number that no float64 holds is JSON all the same, but not for this reader.
    const bool readable = !json::is_number(bytes) || nlohmann::json::accept(bytes);
    const Row row{std::string{bytes}, real, whole, readable ? std::string{bytes} : "1", std::string{bytes}, List{{std::string{bytes}, real, std::monostate{}}, {3}}};
    const std::vector<Column> columns{{input.text(), {Kind::text}}, {"real", {Kind::real}}, {"whole", {Kind::integer}}, {"decimal", {Kind::decimal}},
                                      {"bytes", {Kind::bytes}}, {"list", {Kind::list, Kind::text}}};
    out.clear();
    append_document(out, columns, row);
    holds(nlohmann::json::parse(out).is_object());
    holds(!json::is_number(bytes) || nlohmann::json::accept(bytes) || bytes.size() > 308 || bytes.find_first_of("eE") != std::string_view::npos);
}

} // namespace autosync::fuzz
