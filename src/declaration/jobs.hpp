// Long work that a declaration asks of the worker.
#pragma once

#include <string>

#include "config/options.hpp"
#include "pg/postgres.hpp"

namespace autosync::declaration {

enum class Job : unsigned char { backfill, sweep, purge };

/// Notes a job, from its beginning when there is one already. The database must be adopted, else nothing happens: adoption backfills.
void request_job(const std::string &target, Oid table, Job job, const std::string &reason);
/// Removes what the target holds under these options. The job carries {"source": "schema.table", "options": {…}}: the sync, even the table, may be gone by then.
void request_purge(const std::string &target, Oid table, const std::string &source, const config::Options &options, const std::string &reason);
/// Forgets jobs, entities in trouble and the state of a sync that is no more.
void forget_sync(const std::string &target, Oid table);

} // namespace autosync::declaration
