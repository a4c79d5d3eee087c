// A sync compiled for AT Protocol targets: whose record a row is, under which key, and what it says.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "atproto/blob.hpp"
#include "atproto/record.hpp"
#include "targets/target.hpp"

namespace autosync::targets::atproto {

using autosync::atproto::Record;

struct Field {
    std::size_t column; ///< of the source
    std::string name;   ///< in the record
};

struct BlobField {
    std::size_t column; ///< of the source, bytea
    std::string field;
    autosync::atproto::Place place; ///< `field`, taken apart
    std::string type;               ///< content type; empty: as the bytes look
    std::optional<std::size_t> type_column;
    std::size_t max_size;
};

/// A field that names the record of another row, by its URI and CID.
struct Reference {
    std::string field;
    std::size_t link;    ///< of the source
    bool thread = false; ///< it names the first one of its thread too: {root, parent}
};

/// Where a record's key comes from.
enum class KeyFrom : unsigned char { time, key, self, column };

/// A blob and where it belongs.
struct Attached {
    autosync::atproto::Blob blob;
    const autosync::atproto::Place *place = nullptr; ///< of the mapping
};

class Compiled final : public Mapping {
public:
    std::string collection;
    std::optional<std::size_t> did;       ///< place in a row
    std::optional<std::size_t> transform; ///< place in a row; none: `fields`
    std::vector<Field> fields;
    std::optional<std::size_t> created_at; ///< column
    KeyFrom key_from = KeyFrom::time;
    std::size_t key_column = 0;
    std::vector<BlobField> blobs;
    std::vector<Reference> references;
    bool yields = false; ///< to what somebody else has made of a record
};

/// Throws std::invalid_argument with a message for the user.
[[nodiscard]] std::unique_ptr<const Compiled> compile_source(const mapping::Source &source);

/// The DID of a row; empty: it has none and is not synced. Throws std::invalid_argument for what is no DID.
[[nodiscard]] std::string did_of(const Compiled &mapping, const mapping::Change &change);
/// Whether the transform has given anything: a row without a record is not synced.
[[nodiscard]] bool has_record(const Compiled &mapping, const mapping::Change &change);
/// The record key that the row decides; empty: a TID is to be assigned. Throws std::invalid_argument for what is no record key.
[[nodiscard]] std::string rkey_of(const Compiled &mapping, const mapping::Change &change);
/// The option `blob`. Throws std::invalid_argument.
[[nodiscard]] std::vector<BlobField> blob_fields(const mapping::Source &source, const std::string &text);
/// The row's blobs. Throws std::invalid_argument that names the field.
[[nodiscard]] std::vector<Attached> blobs_of(const Compiled &mapping, const mapping::Change &change);

/// What a record is made of beside its row.
struct Surroundings {
    std::string assigned_at{}; ///< for createdAt where the row has no such time
    std::vector<Attached> blobs{};
    std::map<std::string, std::string> references{}; ///< field -> JSON
};
/// What is sent. Throws std::invalid_argument that names the field.
[[nodiscard]] Record record_of(const Compiled &mapping, const mapping::Source &source, const mapping::Change &change, const Surroundings &around);

} // namespace autosync::targets::atproto
