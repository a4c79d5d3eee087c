#include "worker/lone_record.hpp"

#include <stdexcept>

#include "pg/spi.hpp"
#include "targets/atproto_mapping.hpp"
#include "worker/intend.hpp"

namespace autosync::worker {

std::unique_ptr<atproto::Context> lone_record(std::int64_t instance, const config::Sync &sync, const mapping::Change &change, const std::string &key)
{
    const auto mapping = targets::atproto::compile_source(sync.source);
    auto declared = std::make_shared<Declared>();
    declared->sync = sync;
    Flight flight;
    flight.declared = {declared};
    flight.sources = {&declared->sync.source};
    flight.mappings = {mapping.get()};
    flight.changes = {change};
    flight.changes.front().source = 0;
    flight.items.resize(1);
    flight.items.front().table = sync.table;
    flight.items.front().wanted.key = key;
    const auto known = load_known(instance, sync.target, flight.items);
    const auto owners = load_owners(instance, sync.target, flight.items);
    const References references{instance, sync.target, flight};
    const auto now = pg::execute_one("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')").value_or("");
    auto [intent, waiting] = intend({flight, references, 0, known.empty() ? nullptr : &known.begin()->second,
                                     owners.empty() ? "" : owners.begin()->second, now, true});
    if (waiting)
        throw std::invalid_argument{waiting->message};
    auto context = std::make_unique<atproto::Context>();
    if (!intent)
        return context;
    if (!intent->problem.empty())
        throw std::invalid_argument{intent->problem};
    if (known.empty() && mapping->key_from == targets::atproto::KeyFrom::time)
        intent->at.rkey = "(assigned when first sent)";
    context->intents.push_back(std::move(*intent));
    find_blobs(instance, sync.target, context->intents);
    return context;
}

} // namespace autosync::worker
