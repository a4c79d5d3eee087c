#include "operate/key.hpp"

#include <map>

#include "mapping/key.hpp"
#include "pg/canonical.hpp"
#include "pg/spi.hpp"

namespace autosync::operate {

namespace {

std::string canonical(const std::string &text, Oid type)
{
    const char *const raw = text.c_str();
    const Datum value = pg::call([raw, type] {
        Oid input = InvalidOid;
        Oid parameter = InvalidOid;
        getTypeInputInfo(type, &input, &parameter);
        return OidInputFunctionCall(input, const_cast<char *>(raw), parameter, -1); // input functions only read it
    });
    return pg::canonical_text(value, type);
}

/// '{"playlist_id": …, "track_id": …}'
std::string shape(const config::Sync &sync)
{
    std::string text = "{";
    for (const auto &column : sync.key)
        text += (text.size() > 1 ? ", \"" : "\"") + column.name + "\": …";
    return text + "}";
}

std::vector<std::string> fields(const config::Sync &sync, const std::string &text)
{
    const auto wrong = [&] {
        return pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "invalid key of table " + sync.schema + "." + sync.name + ": " + text,
                           "Its key has " + std::to_string(sync.key.size()) + " columns.", "Write it as a JSON object: " + shape(sync) + "."};
    };
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || text[first] != '{')
        throw wrong();
    std::map<std::string, std::string> given;
    for (const auto &row : pg::execute("SELECT key, value FROM pg_catalog.jsonb_each_text($1::pg_catalog.jsonb)", {text})) {
        if (!row[1])
            throw wrong();
        given[row[0].value_or("")] = *row[1];
    }
    std::vector<std::string> values;
    for (const auto &column : sync.key) {
        const auto found = given.find(column.name);
        if (found == given.end())
            throw wrong();
        values.push_back(found->second);
    }
    if (given.size() != values.size())
        throw wrong();
    return values;
}

bool is_integer(Oid type)
{
    return pg::call([type] { return pg::Canonical{type}.integer(); });
}

} // namespace

std::string key_text(const config::Sync &sync, std::span<const std::string> columns)
{
    std::vector<mapping::KeyPart> parts;
    for (const auto &column : sync.key)
        parts.push_back({column.name, is_integer(column.type)});
    return mapping::key_text(parts, columns);
}

Key parse_key(const config::Sync &sync, const std::string &text)
{
    const auto values = sync.key.size() == 1 ? std::vector<std::string>{text} : fields(sync, text);
    Key key;
    for (std::size_t i = 0; i < values.size(); ++i)
        key.columns.push_back(canonical(values[i], sync.key[i].type));
    key.text = key_text(sync, key.columns);
    return key;
}

} // namespace autosync::operate
