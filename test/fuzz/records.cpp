#include <nlohmann/json.hpp>

#include "atproto/blob.hpp"
#include "atproto/cid.hpp"
#include "atproto/record.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

/// What a transform gives: refused, or a record that stays the same, and keeps its identifier, when it is read again.
FUZZ(records)
{
    Input input{bytes};
    const auto where = input.text();
    const std::string collection = "com.example.note";
    const std::string now = "2024-02-29T12:34:56.789Z";
    nlohmann::json value;
    Record record;
    if (!accepts([&] { value = parse_record(input.rest()); }) || !accepts([&] { record = finish_record(value, collection, now); }))
        return;
    const auto again = finish_record(parse_record(record.json), collection, now);
    holds(again == record);
    holds(cid_of(dag_cbor(nlohmann::json::parse(record.json))) == record.cid);
    const Blob blob{"image", "image/png", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", "bytes", false};
    auto with_blob = nlohmann::json::parse(record.json);
    if (accepts([&] { place_blob(with_blob, parse_place(where), blob); }))
        retype_references(with_blob, blob);
}

} // namespace autosync::fuzz
