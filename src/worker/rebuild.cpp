#include "worker/rebuild.hpp"

#include <algorithm>

#include "config/json.hpp"
#include "pg/spi.hpp"
#include "targets/qdrant_rebuild.hpp"
#include "worker/progress.hpp"
#include "worker/runner.hpp"

namespace autosync::worker {

namespace {

namespace qdrant = targets::qdrant;

constexpr const char *this_job = " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND kind = 'rebuild'"
                                 " AND requested_at = $4::timestamptz";

void change_job(const std::string &statement, std::int64_t instance, const std::string &target, const Job &job)
{
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        pg::execute(statement + this_job, {std::to_string(instance), target, std::to_string(job.table), job.requested_at});
    });
}

} // namespace

Rebuild read_rebuild(const Job &job)
{
    Rebuild rebuild;
    const auto body = config::parse_json(job.options);
    if (!body || !body->is_object())
        return rebuild;
    rebuild.collection = body->value("collection", "");
    rebuild.replaces = body->value("replaces", "");
    rebuild.abandoned = body->value("abandoned", std::vector<std::string>{});
    rebuild.filled = body->value("filled", false);
    return rebuild;
}

std::map<std::pair<std::string, Oid>, std::string> load_rebuilds(std::int64_t instance)
{
    std::map<std::pair<std::string, Oid>, std::string> rebuilds;
    for (const auto &row : pg::execute("SELECT target, source, options ->> 'collection' FROM autosync.jobs WHERE instance = $1::int8"
                                       " AND kind = 'rebuild'",
                                       {std::to_string(instance)}))
        rebuilds[{row[0].value_or(""), static_cast<Oid>(std::stoul(row[1].value_or("0")))}] = row[2].value_or("");
    return rebuilds;
}

void settle_rebuild(std::int64_t instance, const std::string &target, const Job &job)
{
    change_job("DELETE FROM autosync.jobs", instance, target, job);
    Catalog::invalidate(); // rows go where searches look again
}

void restart_rebuild(std::int64_t instance, const std::string &target, const Job &job)
{
    change_job("UPDATE autosync.jobs SET options = options - 'filled', \"position\" = NULL, done = 0", instance, target, job);
}

void note_problem(std::int64_t instance, const std::string &target, Oid table, const std::string &problem)
{
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        pg::execute("UPDATE autosync.sync_state SET problem = nullif($4, '') WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid"
                    " AND problem IS DISTINCT FROM nullif($4, '')",
                    {std::to_string(instance), target, std::to_string(table), problem});
    });
}

/// Fills the new collection like a backfill; when it holds all rows and the table lags behind nowhere, puts it in the old one's place.
Runner::Step Runner::rebuild(const Destination &to, Job job, bool filling_elsewhere)
{
    const auto declared = to.find(job.table);
    const auto plan = read_rebuild(job);
    const auto &options = declared->sync.source.options;
    const auto option = options.find(std::string{qdrant::rebuild_option});
    if (option == options.end() || option->second != plan.collection) {
        Catalog::invalidate(); // rows go into the new one from now on: only then those that exist are read
        return Step::nothing;
    }
    if (declared->mapping == nullptr || cursors_.contains(job.table))
        return Step::nothing;
    if (!plan.filled) {
        if (!job.started)
            start_job(desk_.instance, to.access.at(declared->sync.owner), job, *declared);
        Round round;
        round.kind = Round::Kind::backfill;
        round.job = std::move(job);
        return begin(std::move(round));
    }
    if (filling_elsewhere || cursors_.at(InvalidOid).upto)
        return Step::nothing;
    Errand errand;
    errand.kind = Errand::Kind::rebuild;
    errand.target = std::make_shared<config::Target>(to.access.at(declared->sync.owner));
    errand.declared = declared;
    const auto &server = errand.target->description;
    auto requests = qdrant::switch_collections(server, qdrant::compiled(*declared->mapping).collection, plan.replaces, plan.collection);
    for (const auto &collection : plan.abandoned)
        requests.push_back(qdrant::drop_collection(server, collection));
    errand.requests.assign(requests.begin(), requests.end());
    errand.job = std::move(job);
    return run(std::move(errand));
}

} // namespace autosync::worker
