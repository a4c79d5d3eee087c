#include "http/address.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace autosync::http {
namespace {

constexpr unsigned mapped_bits = 96; ///< of ::ffff:0:0/96

struct Range {
    std::string_view network;
    unsigned bits;
};

// Link-local ranges, and where clouds keep instance credentials outside of them.
constexpr std::array restricted_ranges{
    Range{"169.254.0.0", mapped_bits + 16},
    Range{"fe80::", 10},
    Range{"fd00:ec2::254", 128},   // AWS
    Range{"fd20:ce::254", 128},    // Google
    Range{"168.63.129.16", 128},   // Azure
    Range{"100.100.100.200", 128}, // Alibaba
    Range{"192.0.0.192", 128},     // Oracle
};

Address mapped(const std::uint8_t *ipv4)
{
    Address address{};
    address[10] = address[11] = 0xff;
    std::copy_n(ipv4, 4, address.begin() + 12);
    return address;
}

bool same_prefix(const Address &left, const Address &right, unsigned bits)
{
    const auto bytes = bits / 8;
    if (!std::equal(left.begin(), left.begin() + bytes, right.begin()))
        return false;
    const auto rest = bits % 8;
    return rest == 0 || ((left[bytes] ^ right[bytes]) >> (8 - rest)) == 0;
}

bool starts_with(const Address &address, std::initializer_list<std::uint8_t> prefix)
{
    return std::equal(prefix.begin(), prefix.end(), address.begin());
}

/// The IPv4 host behind an IPv6 address that a translator or tunnel turns into one, in mapped form; else the address itself.
Address unwrapped(const Address &address)
{
    if (starts_with(address, {0x20, 0x02})) // 6to4
        return mapped(address.data() + 2);
    if (starts_with(address, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) // NAT64
        return mapped(address.data() + 12);
    if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) && (address[12] != 0 || address[13] != 0)) // IPv4-compatible, not ::1
        return mapped(address.data() + 12);
    return address;
}

std::string_view trimmed(std::string_view text)
{
    const auto begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string_view without_brackets(std::string_view text)
{
    return text.size() > 2 && text.front() == '[' && text.back() == ']' ? text.substr(1, text.size() - 2) : text;
}

/// Lower case, without the dot that makes a name absolute.
std::string canonical_name(std::string_view name)
{
    std::string result{without_brackets(name)};
    std::transform(result.begin(), result.end(), result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (result.size() > 1 && result.back() == '.')
        result.pop_back();
    return result;
}

} // namespace

std::optional<Address> parse_address(std::string_view text)
{
    text = without_brackets(text);
    const std::string bare{text.substr(0, text.find('%'))};
    std::array<std::uint8_t, 4> ipv4{};
    if (inet_pton(AF_INET, bare.c_str(), ipv4.data()) == 1)
        return mapped(ipv4.data());
    Address ipv6{};
    if (inet_pton(AF_INET6, bare.c_str(), ipv6.data()) == 1)
        return ipv6;
    return std::nullopt;
}

std::optional<Address> address_of(const sockaddr &socket_address)
{
    if (socket_address.sa_family == AF_INET)
        return mapped(reinterpret_cast<const std::uint8_t *>(&reinterpret_cast<const sockaddr_in &>(socket_address).sin_addr));
    if (socket_address.sa_family == AF_INET6) {
        Address address{};
        std::copy_n(reinterpret_cast<const sockaddr_in6 &>(socket_address).sin6_addr.s6_addr, address.size(), address.begin());
        return address;
    }
    return std::nullopt;
}

AllowList::AllowList(std::string_view entries)
{
    while (!entries.empty()) {
        const auto comma = entries.find(',');
        add(trimmed(entries.substr(0, comma)));
        entries.remove_prefix(comma == std::string_view::npos ? entries.size() : comma + 1);
    }
}

void AllowList::add(std::string_view entry)
{
    if (entry == "*") {
        everything_ = true;
        return;
    }
    const auto slash = entry.find('/');
    const auto address = parse_address(entry.substr(0, slash));
    if (!address) {
        if (!entry.empty())
            names_.push_back(canonical_name(entry));
        return;
    }
    Network network{*address, 128, false};
    if (slash != std::string_view::npos) {
        const auto digits = entry.substr(slash + 1);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), network.bits);
        const unsigned base = entry.find(':') == std::string_view::npos ? mapped_bits : 0;
        // A network that cannot be read allows nothing, rather than everything.
        if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || network.bits > 128 - base)
            return;
        network.bits += base;
    }
    network.restricted = restricted(*address, network.bits);
    networks_.push_back(network);
}

bool AllowList::contains(const Network &network, const Address &address) { return same_prefix(network.address, address, network.bits); }

bool AllowList::restricted(const Address &address, unsigned bits)
{
    const auto host = bits == 128 ? unwrapped(address) : address;
    return std::any_of(restricted_ranges.begin(), restricted_ranges.end(), [&](const Range &range) {
        const auto network = parse_address(range.network);
        return network && bits >= range.bits && same_prefix(*network, host, range.bits);
    });
}

AllowList::Host AllowList::host(std::string_view name) const
{
    if (const auto literal = parse_address(name)) {
        const bool listed = std::any_of(networks_.begin(), networks_.end(), [&](const Network &network) { return contains(network, *literal); });
        return listed || everything_ ? Host::allowed : Host::refused;
    }
    if (std::find(names_.begin(), names_.end(), canonical_name(name)) != names_.end())
        return Host::named;
    return everything_ ? Host::allowed : Host::refused;
}

bool AllowList::address(Host host, const Address &address) const
{
    if (host != Host::allowed)
        return host == Host::named;
    const auto real = unwrapped(address);
    if (!restricted(real, 128))
        return true;
    return std::any_of(networks_.begin(), networks_.end(),
                       [&](const Network &network) { return network.restricted && (contains(network, address) || contains(network, real)); });
}

} // namespace autosync::http
