// What an application has said itself (autosync.emit), as its event carries it: JSON, which views take apart. Knows nothing of PostgreSQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace autosync::outbox {

/// Stands in for the table of what is said of an entity that no synced table holds: no table has this oid.
inline constexpr std::uint32_t words_source = 2;
/// What happened to the entity, as operations are called.
inline constexpr const char *word_operation = "emit";

struct Word {
    std::uint32_t speaker = 0; ///< oid of the role that has said it
    std::string event_type;
    std::string entity_type;
    std::string entity_id;
    std::optional<std::int64_t> version{}; ///< of the source
    std::string payload;                   ///< JSON

    friend bool operator==(const Word &, const Word &) = default;
};

/// Every text in UTF-8.
[[nodiscard]] std::string to_text(const Word &word);
/// Throws std::runtime_error for what to_text() does not write.
[[nodiscard]] Word read_word(std::string_view text);
/// Its speaker, without reading the rest; 0: it is no word.
[[nodiscard]] std::uint32_t speaker_of(std::string_view text) noexcept;

} // namespace autosync::outbox
