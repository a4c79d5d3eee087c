// What is asked of a repository.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "atproto/context.hpp"

namespace autosync::targets::atproto {

using autosync::atproto::Address;
using autosync::atproto::Context;
using autosync::atproto::Intent;
using autosync::atproto::Session;
using autosync::atproto::There;

/// Only if the record is just this one by now: its CID, empty for none at all.
using Swap = std::optional<std::string>;

[[nodiscard]] http::Request put_record(const std::string &pds, const Address &at, std::string_view record, const Swap &swap = {});
[[nodiscard]] http::Request delete_record(const std::string &pds, const Address &at, const Swap &swap = {});
[[nodiscard]] http::Request upload_blob(const std::string &pds, const autosync::atproto::Blob &blob);
[[nodiscard]] http::Request get_record(const std::string &pds, const Address &at);

/// Writes of one repository, all or nothing.
class Writes final {
public:
    explicit Writes(const std::string &did);
    void create(const Intent &intent) { add("create", intent); }
    void update(const Intent &intent) { add("update", intent); }
    void remove(const Intent &intent) { add("delete", intent); }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::size_t bytes() const { return body_.size(); }
    [[nodiscard]] http::Request request(const std::string &pds) const;

private:
    void add(std::string_view verb, const Intent &intent);

    std::string body_;
    std::size_t count_ = 0;
};

} // namespace autosync::targets::atproto
