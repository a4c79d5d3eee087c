// A sync compiled for Qdrant: which vectors a point has and what they come from, which columns are its payload, how its id is made.
//
// Payload of every point, beside the columns: _key (canonical key), _source ('schema.table'), _v (version), and where texts were embedded
// _hash (their fingerprints: a string, or by name of the vector) and _model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "targets/target.hpp"

namespace autosync::targets::qdrant {

/// Options of a sync that nobody declares: the worker adds them while a new collection is filled beside the old one.
/// Rows go into it, removals also into the old one.
inline constexpr std::string_view rebuild_option = "rebuild_collection";

/// One vector of a point.
struct VectorSpec {
    std::string name;                 ///< empty: the only, unnamed one
    std::string json_name;            ///< '"name"'
    bool given = false;               ///< a column holds it; else its text is embedded
    std::vector<std::size_t> columns; ///< places in a row: of the text's parts, or of the vector
};

struct PayloadField {
    std::string json_name; ///< '"name":'
    std::size_t column = 0;
};

enum class IdRule : std::uint8_t {
    automatic, ///< a key of one integer column, not negative: as it is, else as uuid
    uuid,      ///< of version 5, made of source and key
    key        ///< a key of one uuid column: as it is
};

struct Compiled final : Mapping {
    std::string source;     ///< 'schema.table'
    std::string collection; ///< what searches ask: an alias, or a collection of somebody else's making
    std::string rebuild;    ///< the collection that is being filled to take its place; empty: none
    std::vector<VectorSpec> vectors;
    std::vector<PayloadField> payload;
    std::optional<std::size_t> transform;                     ///< place in a row of an object that is the payload, in place of columns
    std::vector<mapping::Type> types;                         ///< by place in a row
    std::vector<std::pair<std::string, std::string>> indexes; ///< payload field, schema
    IdRule id = IdRule::automatic;
    bool integer_key = false; ///< one integer column
    std::string model;        ///< the sync's own; empty: the server's
    unsigned dimensions = 0;  ///< the sync's own; 0: the server's
    bool truncate = false;    ///< a text that is too long is cut

    [[nodiscard]] bool named() const { return !vectors.empty() && !vectors.front().name.empty(); }
    [[nodiscard]] bool embeds() const;
    /// Where rows go.
    [[nodiscard]] const std::string &written() const { return rebuild.empty() ? collection : rebuild; }
};

/// Throws std::invalid_argument with a message for the user. A source without columns is a table that is gone: enough for purging.
/// Source::columns has to hold what `embed`, `vector` and `payload` name, whatever `columns` and `exclude` say: those limit the payload.
[[nodiscard]] std::unique_ptr<const Compiled> compile_source(const mapping::Source &source);
[[nodiscard]] const Compiled &compiled(const Mapping &mapping);

/// The collection that a sync writes to and is searched in. `table`: the bare name.
[[nodiscard]] std::string collection_of(const mapping::Options &options, std::string_view table);

/// What sync and server say together.
[[nodiscard]] std::string model_of(const Server &server, const Compiled &mapping);
[[nodiscard]] unsigned dimensions_of(const Server &server, const Compiled &mapping); ///< 0: not declared
[[nodiscard]] std::string distance_of(const Server &server);
/// What is wrong with a sync at this server, for the user; empty: nothing.
[[nodiscard]] std::string server_problem(const Server &server, const Compiled &mapping);

} // namespace autosync::targets::qdrant
