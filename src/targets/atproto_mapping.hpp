// A sync compiled for AT Protocol targets: whose record a row is, under which key, and what it says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "atproto/record.hpp"
#include "targets/target.hpp"

namespace autosync::targets::atproto {

using autosync::atproto::Record;

struct Field {
    std::size_t column; ///< of the source
    std::string name;   ///< in the record
};

/// Where a record's key comes from.
enum class KeyFrom : unsigned char { time, key, self, column };

class Compiled final : public Mapping {
public:
    std::string collection;
    std::optional<std::size_t> did;       ///< place in a row
    std::optional<std::size_t> transform; ///< place in a row; none: `fields`
    std::vector<Field> fields;
    std::optional<std::size_t> created_at; ///< column
    KeyFrom key_from = KeyFrom::time;
    std::size_t key_column = 0;
};

/// Throws std::invalid_argument with a message for the user.
[[nodiscard]] std::unique_ptr<const Compiled> compile_source(const mapping::Source &source);

/// The DID of a row; empty: it has none and is not synced. Throws std::invalid_argument for what is no DID.
[[nodiscard]] std::string did_of(const Compiled &mapping, const mapping::Change &change);
/// Whether the transform has given anything: a row without a record is not synced.
[[nodiscard]] bool has_record(const Compiled &mapping, const mapping::Change &change);
/// The record key that the row decides; empty: a TID is to be assigned. Throws std::invalid_argument for what is no record key.
[[nodiscard]] std::string rkey_of(const Compiled &mapping, const mapping::Change &change);
/// What is sent. `assigned_at`: for createdAt where the row has no such time. Throws std::invalid_argument that names the field.
[[nodiscard]] Record record_of(const Compiled &mapping, const mapping::Source &source, const mapping::Change &change, const std::string &assigned_at);

} // namespace autosync::targets::atproto
