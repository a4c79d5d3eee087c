// Vectors that have been paid for: kept for a while, so that what fails behind the embedder does not pay for them again.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace autosync::embed {

/// A vector as JSON text, '[0.1,0.2]': it comes as text and goes on as text.
using Vector = std::shared_ptr<const std::string>;

/// By fingerprint. Bounded by bytes: what was not asked for the longest goes first.
class Cache final {
public:
    explicit Cache(std::size_t most_bytes = std::size_t{64} << 20U) : most_{most_bytes} {}

    [[nodiscard]] Vector find(std::string_view fingerprint); ///< null: not here
    void put(std::string_view fingerprint, Vector vector);   ///< one that is larger than the cache is not kept
    void forget(std::string_view fingerprint);               ///< its vector was of no use
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        std::string fingerprint;
        Vector vector;
    };
    [[nodiscard]] static std::size_t cost(const Entry &entry);
    void drop(std::list<Entry>::iterator entry);

    std::size_t most_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;                                                ///< the one used last comes first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> places_; ///< keys lie in the entries
};

} // namespace autosync::embed
