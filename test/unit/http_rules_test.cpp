#include <array>
#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http/address.hpp"
#include "http/transfer.hpp"

namespace autosync::http {
namespace {

using namespace std::chrono_literals;
using Host = AllowList::Host;

bool reaches(std::string_view allowed, std::string_view host, std::string_view address)
{
    const AllowList list{allowed};
    const auto verdict = list.host(host);
    return verdict != Host::refused && list.address(verdict, parse_address(address).value());
}

TEST(Address, HasOneFormForBothSpellings)
{
    EXPECT_EQ(parse_address("127.0.0.1"), parse_address("::ffff:127.0.0.1"));
    EXPECT_EQ(parse_address("[::1]"), parse_address("::1"));
    EXPECT_EQ(parse_address("fe80::1%eth0"), parse_address("fe80::1"));
    EXPECT_FALSE(parse_address("localhost"));
    EXPECT_FALSE(parse_address("1.2.3"));
    EXPECT_FALSE(parse_address(""));
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_addr.s_addr = htonl(0x7f000001);
    EXPECT_EQ(address_of(reinterpret_cast<const sockaddr &>(ipv4)), parse_address("127.0.0.1"));
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_addr = in6addr_loopback;
    EXPECT_EQ(address_of(reinterpret_cast<const sockaddr &>(ipv6)), parse_address("::1"));
    sockaddr other{};
    other.sa_family = AF_UNIX;
    EXPECT_FALSE(address_of(other));
}

TEST(AllowList, KnowsNamesAddressesAndNetworks)
{
    EXPECT_TRUE(reaches("*", "example.com", "93.184.216.34"));
    EXPECT_TRUE(reaches("db.internal , Example.COM", "example.com.", "93.184.216.34"));
    EXPECT_FALSE(reaches("db.internal", "example.com", "93.184.216.34"));
    EXPECT_FALSE(reaches("example.com", "www.example.com", "93.184.216.34"));
    EXPECT_TRUE(reaches("10.0.0.0/8", "10.1.2.3", "10.1.2.3"));
    EXPECT_FALSE(reaches("10.0.0.0/8", "11.1.2.3", "11.1.2.3"));
    EXPECT_TRUE(reaches("2001:db8::/33", "[2001:db8:7fff::1]", "2001:db8:7fff::1"));
    EXPECT_FALSE(reaches("2001:db8::/33", "[2001:db8:8000::1]", "2001:db8:8000::1"));
    EXPECT_TRUE(reaches("::1", "[::1]", "::1"));
    EXPECT_FALSE(reaches("", "localhost", "127.0.0.1"));
    EXPECT_FALSE(reaches(" , ,", "localhost", "127.0.0.1"));
    // A name counts by its name, not by what it resolves to.
    EXPECT_FALSE(reaches("10.0.0.0/8", "db.internal", "10.1.2.3"));
    for (const auto *broken : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8x", "10.0.0.0/-1"})
        EXPECT_FALSE(reaches(broken, "10.0.0.1", "10.0.0.1")) << broken;
}

TEST(AllowList, GuardsLinkLocalAndMetadataAddresses)
{
    for (const auto *address : {"169.254.169.254", "169.254.0.1", "fe80::1", "febf::1", "fd00:ec2::254", "::ffff:169.254.169.254",
                                "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "100.100.100.200", "168.63.129.16", "fd20:ce::254"}) {
        EXPECT_FALSE(reaches("*", "rebound.example", address)) << address;
        EXPECT_FALSE(reaches("*", address, address)) << address;
        EXPECT_FALSE(reaches("0.0.0.0/0, ::/0", address, address)) << address;
        EXPECT_TRUE(reaches(address, address, address)) << address;
        EXPECT_TRUE(reaches("metadata.internal", "metadata.internal", address)) << address;
        EXPECT_TRUE(reaches(std::string{"*,"} + address, "some.name", address)) << address;
    }
    EXPECT_TRUE(reaches("169.254.0.0/16", "169.254.7.7", "169.254.7.7"));
    EXPECT_FALSE(reaches("169.0.0.0/8", "169.254.7.7", "169.254.7.7"));
    EXPECT_TRUE(reaches("*", "router", "fec0::1"));
    EXPECT_TRUE(reaches("*", "localhost", "::1"));
}

TEST(RetryAfter, ReadsSecondsAndDates)
{
    const auto now = std::chrono::system_clock::from_time_t(784'111'777); // Sun, 06 Nov 1994 08:49:37 GMT
    EXPECT_EQ(parse_retry_after("120", now), 120s);
    EXPECT_EQ(parse_retry_after("  7 ", now), 7s);
    EXPECT_EQ(parse_retry_after("0", now), 0s);
    EXPECT_EQ(parse_retry_after("1.2", now), 2s);
    EXPECT_EQ(parse_retry_after("-5", now), 0s);
    EXPECT_EQ(parse_retry_after("86401", now), 24h);
    EXPECT_EQ(parse_retry_after("99999999999999999999999999", now), 24h);
    EXPECT_EQ(parse_retry_after(std::string(400, '9'), now), 24h);
    EXPECT_EQ(parse_retry_after("-" + std::string(400, '9'), now), 0s);
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), 60s);
    EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", now), 60s);
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:40:37 GMT", now), 0s);
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 2094 08:40:37 GMT", now), 24h);
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 9994 08:40:37 GMT", now), 24h); // further than nanoseconds count
    for (const auto *nonsense : {"", " ", "soon", "1 2", "--5", ".", "+-3", "5s"})
        EXPECT_FALSE(parse_retry_after(nonsense, now)) << nonsense;
}

} // namespace
} // namespace autosync::http
