#include "worker/budget.hpp"

#include "config/connection.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

/// Since 2000-01-01, which is where PostgreSQL's time begins.
std::int64_t today() { return GetCurrentTimestamp() / USECS_PER_DAY; }

} // namespace

std::string Budget::problem() const
{
    if (limit == 0 || used < limit || day != today())
        return {};
    return "max_tokens_per_day is used up (" + std::to_string(limit) + " tokens): the table waits for 00:00 UTC";
}

Budget load_budget(std::int64_t instance, const config::Sync &sync)
{
    Budget budget;
    const auto option = sync.options.find("max_tokens_per_day");
    if (option == sync.options.end())
        return budget;
    budget.limit = config::number_or(sync.options, "max_tokens_per_day", std::int64_t{0});
    budget.day = today();
    const auto used = pg::execute_one("SELECT tokens FROM autosync.token_use WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid"
                                      " AND day = date '2000-01-01' + $4::int4",
                                      {std::to_string(instance), sync.target, std::to_string(sync.table), std::to_string(budget.day)});
    budget.used = std::stoll(used.value_or("0"));
    return budget;
}

void spend(std::int64_t instance, const config::Sync &sync, Budget &budget, std::int64_t tokens)
{
    if (budget.limit == 0 || tokens == 0)
        return;
    budget.day = today();
    const auto used = pg::execute_one(
        "INSERT INTO autosync.token_use AS u (instance, target, source, day, tokens)"
        " VALUES ($1::int8, $2::name, $3::oid, date '2000-01-01' + $4::int4, $5::int8) ON CONFLICT (instance, target, source)"
        " DO UPDATE SET day = excluded.day, tokens = excluded.tokens + CASE WHEN u.day = excluded.day THEN u.tokens ELSE 0 END RETURNING tokens",
        {std::to_string(instance), sync.target, std::to_string(sync.table), std::to_string(budget.day), std::to_string(tokens)});
    budget.used = std::stoll(used.value_or("0"));
}

} // namespace autosync::worker
