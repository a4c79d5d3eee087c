// Which hosts and addresses may be talked to: autosync.allowed_hosts as a value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace autosync::http {

/// An IPv6 address; IPv4 as its mapped form, so that both spellings of one host are equal.
using Address = std::array<std::uint8_t, 16>;

[[nodiscard]] std::optional<Address> parse_address(std::string_view text); ///< also '[::1]' and 'fe80::1%eth0'
[[nodiscard]] std::optional<Address> address_of(const sockaddr &socket_address);

/// Entries are host names, addresses, networks ('10.0.0.0/8') or '*', separated by commas. A host name is allowed by its name only,
/// never because of what it resolves to. Link-local and cloud metadata addresses are reached only when an entry names the host,
/// the address, or a network inside those ranges: '*' and '0.0.0.0/0' do not.
class AllowList final {
public:
    enum class Host : std::uint8_t { refused, allowed, named };

    explicit AllowList(std::string_view entries);

    /// Before connecting: may this host of a URL be asked for at all?
    [[nodiscard]] Host host(std::string_view name) const;
    /// When connecting: may this address be the answer?
    [[nodiscard]] bool address(Host host, const Address &address) const;

private:
    struct Network {
        Address address{};
        unsigned bits = 128;
        bool restricted = false; ///< lies inside a link-local or metadata range, so it was meant
    };
    [[nodiscard]] static bool contains(const Network &network, const Address &address);
    [[nodiscard]] static bool restricted(const Address &address, unsigned bits);
    void add(std::string_view entry);

    bool everything_ = false;
    std::vector<std::string> names_;
    std::vector<Network> networks_;
};

} // namespace autosync::http
