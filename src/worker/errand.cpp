#include "worker/errand.hpp"

#include <nlohmann/json.hpp>

#include "config/json.hpp"
#include "config/options.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

std::shared_ptr<Declared> declared_for_purge(const std::string &target, const Job &job, const config::Target &access)
{
    auto declared = std::make_shared<Declared>();
    config::Options options;
    std::string source;
    if (const auto body = config::parse_json(job.options); body && body->is_object()) {
        source = body->value("source", "");
        if (const auto given = body->find("options"); given != body->end())
            options = config::options_from_json(given->dump());
    }
    // Columns and links as they are now: a table that is gone has none, and what hangs on the source's name is removed all the same.
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        try {
            pg::subtransaction([&] { declared->sync = config::describe_sync(job.table, target, options); });
        } catch (const std::exception &) {
            declared->sync = {};
        }
    });
    // The table goes by another name now, and those that refer to it do so under that one: nothing has to stay for them.
    if (!declared->sync.source.name.empty() && declared->sync.source.name != source)
        options["forsaken"] = "on";
    declared->sync.table = job.table;
    declared->sync.target = target;
    declared->sync.source.name = source;
    declared->sync.source.options = options;
    if (declared->sync.source.table.empty())
        declared->sync.source.table = source.substr(source.find('.') + 1);
    try {
        declared->mapping = access.kind->compile(declared->sync.source);
    } catch (const std::invalid_argument &error) {
        declared->problem = error.what();
    }
    return declared;
}

void settle_purge(std::int64_t instance, const std::string &target, const Job &job, std::size_t removed)
{
    const std::string statement = removed == 0 ? "DELETE FROM autosync.jobs"
                                               : "UPDATE autosync.jobs SET done = done + $5::int8, started_at = coalesce(started_at, clock_timestamp()),"
                                                 " updated_at = clock_timestamp()";
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        pg::execute(statement + " WHERE (instance, target, source, kind) = (SELECT instance, target, source, kind FROM autosync.jobs"
                        " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND kind = 'purge' AND requested_at = $4::timestamptz"
                        " FOR UPDATE SKIP LOCKED)" + // one that is being asked for anew begins anew
                        (removed == 0 ? " AND $5::int8 = 0" : ""),
                    {std::to_string(instance), target, std::to_string(job.table), job.requested_at, std::to_string(removed)});
    });
}

} // namespace autosync::worker
