#include "outbox/event_id.hpp"

#include <cstdio>

namespace autosync::outbox {

std::string event_id(std::uint64_t xid, std::uint32_t seq, std::uint32_t ordinal)
{
    constexpr std::uint32_t usual = 0xffff;
    if (seq > usual || ordinal > usual) {
        char longer[40];
        (void) std::snprintf(longer, sizeof(longer), "%016llx-%04x-%04x", static_cast<unsigned long long>(xid), seq, ordinal);
        return longer;
    }
    // The same in a tenth of the time: a view may show a million of them.
    std::string text(26, '-');
    const auto put = [&text](std::size_t end, std::uint64_t number, std::size_t digits) {
        for (std::size_t i = 0; i < digits; ++i, number >>= 4)
            text[end - i - 1] = "0123456789abcdef"[number & 0xfU];
    };
    put(16, xid, 16);
    put(21, seq, 4);
    put(26, ordinal, 4);
    return text;
}

std::string event_id(std::uint64_t xid, std::uint32_t seq, std::uint32_t ordinal, std::uint32_t serial)
{
    return serial == 0 ? event_id(xid, seq, ordinal) : event_id(xid, spoken, serial);
}

} // namespace autosync::outbox
