// point_id(): under which id the targets of Qdrant hold a row.

#include "operate/access.hpp"
#include "operate/key.hpp"
#include "operate/vectors.hpp"
#include "targets/qdrant_point.hpp"

using namespace autosync;

AUTOSYNC_SQL(autosync_point_id)
{
    operate::require_arguments(fcinfo, {"source", "key"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string key = pg::text_argument(fcinfo, 1);
    std::string id;
    for (const auto &sync : config::load_syncs()) {
        const char *const name = sync.target.c_str();
        const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
        if (sync.table != source || !sync.problem.empty() || !OidIsValid(server) || config::kind_of_server(server) != "qdrant")
            continue;
        const auto mapping = targets::find("qdrant")->compile(sync.source);
        const auto found = targets::qdrant::plain_id(targets::qdrant::compiled(*mapping), operate::parse_key(sync, key).text);
        if (!id.empty() && found != id)
            throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                              "the syncs of table " + operate::source_name(source) + " differ in the option \"id\"",
                              "One target holds the row as " + id + ", another one as " + found + "."};
        id = found;
    }
    if (id.empty())
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "table " + operate::source_name(source) + " is not synced to a target of kind \"qdrant\"", {},
                          "Declare the sync with autosync.add_sync()."};
    return pg::text_datum(id);
}
