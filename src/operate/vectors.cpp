#include "operate/vectors.hpp"

#include "operate/access.hpp"
#include "pg/spi.hpp"

namespace autosync::operate {

VectorSync require_vector_sync(Oid source, const std::string &target)
{
    (void) require_target(target);
    (void) targets_of_source(source, target);
    auto sync = config::load_sync(source, target);
    auto loaded = sync ? config::load_target(target, sync->owner) : std::nullopt;
    if (!loaded)
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "target \"" + target + "\" does not exist"};
    if (loaded->kind->kind() != "qdrant")
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE, "target \"" + target + "\" keeps no vectors",
                          "It is of kind \"" + std::string{loaded->kind->kind()} + "\".", "Name one of autosync_qdrant."};
    const auto &problem = sync->problem.empty() ? loaded->problem : sync->problem;
    if (!problem.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "table " + source_name(source) + " cannot be delivered as declared", problem};
    VectorSync result{std::move(*sync), std::move(*loaded), nullptr};
    result.mapping = result.target.kind->compile(result.sync.source);
    return result;
}

void fail_with(const targets::Verdict &problem, const std::string &target)
{
    using targets::Outcome;
    if (problem.unprepared)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "target \"" + target + "\" holds nothing of this table yet", problem.message,
                          "The collection is made before the first delivery: see autosync.health()."};
    switch (problem.outcome) {
    case Outcome::refused:
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "target \"" + target + "\" refused the request", problem.message};
    case Outcome::unauthorized:
        throw pg::Failure{ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "target \"" + target + "\" does not accept the credentials", problem.message,
                          "Correct the user mapping of the table's owner."};
    case Outcome::throttled:
        throw pg::Failure{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "target \"" + target + "\" asks to come back later", problem.message};
    default:
        throw pg::Failure{ERRCODE_CONNECTION_FAILURE, "target \"" + target + "\" could not be asked", problem.message,
                          "autosync.check_target() tells more."};
    }
}

} // namespace autosync::operate
