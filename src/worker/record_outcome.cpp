// What became of records is written down.

#include <nlohmann/json.hpp>

#include "outbox/notices.hpp"
#include "pg/spi.hpp"
#include "worker/record_map.hpp"
#include "worker/records.hpp"
#include "worker/sessions.hpp"
#include "worker/writeback.hpp"

namespace autosync::worker {

using nlohmann::json;

namespace {

/// Which rows are which records, by what became of them.
struct Outcomes {
    json confirmed = json::array(); ///< the repository has them
    json kept = json::array();      ///< it has what somebody else has made of them
    json gone = json::array();
    json open = json::array();      ///< not known, or not yet as it should be
};

json types_of(const std::vector<atproto::Blob> &blobs)
{
    auto types = json::object();
    for (const auto &blob : blobs)
        types[blob.cid] = blob.type;
    return types;
}

Outcomes sort_out(const Flight &flight)
{
    Outcomes outcomes;
    const auto &results = flight.delivery->results();
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto &intent = flight.context->intents[i];
        if (!intent.problem.empty())
            continue;
        json row{{"source", flight.items[i].table}, {"key", flight.items[i].wanted.key}};
        const bool delivered = results[i].state == delivery::Result::State::delivered;
        // A lost request may still bring back what is removed: where that would be is not forgotten before it has been looked for.
        const bool doubtful = intent.removes() && (results[i].in_doubt || flight.items[i].doubtful);
        if (!delivered || doubtful) {
            row["former"] = to_json(intent.former);
            row["removed"] = doubtful && delivered;
            outcomes.open.push_back(std::move(row));
        } else if (intent.removes()) {
            row["left"] = intent.kept;
            row["deleted"] = flight.items[i].operation == "delete";
            outcomes.gone.push_back(std::move(row));
        } else if (intent.kept) {
            row["cid"] = intent.confirmed;
            outcomes.kept.push_back(std::move(row));
        } else {
            row["cid"] = intent.confirmed.empty() ? intent.cid : intent.confirmed;
            row["blobs"] = types_of(intent.blobs);
            outcomes.confirmed.push_back(std::move(row));
        }
    }
    return outcomes;
}

/// Statements about rows of the map, each with a list of them.
class Ledger final {
public:
    Ledger(std::int64_t instance, const std::string &target, const Flight &flight) : parameters_{std::to_string(instance), target}, asks_{telling(flight.declared)}
    {
        for (const auto &declared : flight.declared)
            if (writes_back(declared->sync))
                writing_ += (writing_.size() > 1 ? "," : "") + std::to_string(declared->sync.table);
        writing_ += "}";
    }

    void confirm(const json &list, std::int64_t version) const
    {
        if (asks_ != "{}")
            run(std::string{"WITH told AS (SELECT m.target, m.source, m.key, m.did, m.collection, m.rkey, e.cid, m.cid IS DISTINCT FROM e.cid OR m.former <> '[]' AS changed"} +
                    listed + ")" +
                    outbox::tell("told", "CASE WHEN r.changed THEN 'record_published' END", std::string{", 'did', r.did, 'uri', "} + address + ", 'cid', r.cid", "$4"),
                list, {asks_});
        run(std::string{"UPDATE autosync.atp_map AS m SET cid = e.cid, confirmed = true, kept = false, sent = '[]', blobs = e.blobs, former = '[]', version = $4::int8,"
            " written = NOT m.source = ANY ($5::oid[]), published_at = coalesce(m.published_at, clock_timestamp())"} + rows,
            list, {std::to_string(version), writing_});
    }

    /// Somebody else's word stands; that is told once.
    void keep(const json &list) const
    {
        if (asks_ != "{}")
            run(std::string{"WITH told AS (SELECT m.target, m.source, m.key, m.did, m.collection, m.rkey, m.kept AND m.cid IS NOT DISTINCT FROM nullif(e.cid, '') AS known"} +
                    listed + ")" + outbox::tell("told", "CASE WHEN NOT r.known THEN 'conflict_detected' END", std::string{", 'did', r.did, 'uri', "} + address, "$4"),
                list, {asks_});
        run(std::string{"UPDATE autosync.atp_map AS m SET cid = nullif(e.cid, ''), confirmed = true, kept = true, sent = '[]', blobs = '{}', former = '[]',"
            " written = e.cid = '' OR NOT m.source = ANY ($4::oid[]),"
            " published_at = CASE WHEN e.cid <> '' THEN coalesce(m.published_at, clock_timestamp()) END"} + rows,
            list, {writing_});
    }

    void leave_open(const json &list) const
    {
        run(std::string{"UPDATE autosync.atp_map AS m SET former = e.former, published_at = CASE WHEN e.removed THEN NULL ELSE m.published_at END"} + rows, list);
    }

    void forget(const json &list) const
    {
        run("WITH gone AS (DELETE FROM autosync.atp_map AS m USING jsonb_to_recordset($3::jsonb) AS e (source oid, key text, \"left\" bool)"
            " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key RETURNING m.*, e.\"left\")" +
                outbox::tell("gone", "CASE WHEN r.published_at IS NOT NULL THEN CASE WHEN r.\"left\" THEN 'conflict_detected' ELSE 'record_unpublished' END END",
                             std::string{", 'did', r.did, 'uri', "} + address, "$4"),
            list, {asks_});
        run("DELETE FROM autosync.atp_owners AS m USING jsonb_to_recordset($3::jsonb) AS e (source oid, key text, deleted bool)"
            " WHERE e.deleted AND m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key",
            list);
    }

private:
    void run(const std::string &statement, const json &list, const std::vector<pg::Cell> &more = {}) const
    {
        if (list.empty())
            return;
        auto all = parameters_;
        all.emplace_back(dump(list));
        all.insert(all.end(), more.begin(), more.end());
        pg::execute(statement, all);
    }

    static constexpr const char *rows = " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text, cid text, former jsonb, removed bool, blobs jsonb)"
                                           " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key";
    static constexpr const char *listed = " FROM autosync.atp_map AS m, jsonb_to_recordset($3::jsonb) AS e (source oid, key text, cid text)"
                                             " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key";
    static constexpr const char *address = "'at://' || r.did || '/' || r.collection || '/' || r.rkey";

    std::vector<pg::Cell> parameters_;
    std::string asks_; ///< tables whose syncs ask for notifications
    std::string writing_ = "{"; ///< tables whose rows learn where their records are
};

} // namespace

void settle_records(std::int64_t instance, const std::string &target, const Flight &flight, std::int64_t version)
{
    const auto outcomes = sort_out(flight);
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const Ledger ledger{instance, target, flight};
        ledger.confirm(outcomes.confirmed, version);
        ledger.keep(outcomes.kept);
        ledger.leave_open(outcomes.open);
        ledger.forget(outcomes.gone);
        note_use(instance, target, *flight.context);
        for (const auto &[did, answer] : flight.context->setbacks)
            note_setback(instance, target, did, answer, flight.context->reasons.at(did));
    });
}

} // namespace autosync::worker
