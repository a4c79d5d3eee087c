#include <array>

#include <arpa/inet.h>

#include "fuzz.hpp"
#include "http/address.hpp"

namespace autosync::fuzz {

using http::AllowList;

/// The bytes of an address, however it is written, are judged alike; '*' and networks around them do not open those where secrets are served.
FUZZ(addresses)
{
    Input input{bytes};
    const auto entries = input.text();
    const auto host = input.text();
    const AllowList list{entries};
    (void)list.host(host);
    const auto address = http::parse_address(host);
    if (!address)
        return;
    std::array<char, INET6_ADDRSTRLEN> text{};
    holds(inet_ntop(AF_INET6, address->data(), text.data(), text.size()) != nullptr);
    holds(http::parse_address(text.data()) == address);
    holds(list.host(text.data()) == list.host(host));
    const auto &raw = *address;
    const bool mapped = std::equal(raw.begin(), raw.begin() + 12, std::array<std::uint8_t, 12>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}.begin());
    const bool link_local = (mapped && raw[12] == 169 && raw[13] == 254) || (raw[0] == 0xfe && (raw[1] & 0xc0U) == 0x80U);
    for (const auto *const open : {"*", "0.0.0.0/0, ::/0", "*, 169.0.0.0/8, fe00::/9"})
        if (const AllowList wide{open}; link_local)
            holds(!wide.address(wide.host(host), *address));
}

} // namespace autosync::fuzz
