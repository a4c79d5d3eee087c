#include "mapping/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace json = autosync::mapping::json;

namespace {

std::string escaped(std::string_view text)
{
    std::string out;
    json::append_string(out, text);
    return out;
}

std::string real(double value)
{
    std::string out;
    json::append_real(out, value);
    return out;
}

std::string base64(std::string_view bytes)
{
    std::string out;
    json::append_base64(out, bytes);
    return out;
}

std::string decimal(std::string_view text)
{
    std::string out;
    json::append_decimal(out, text);
    return out;
}

TEST(Json, EscapesEveryControlCharacterAtEveryPosition)
{
    for (int byte = 0; byte < 0x80; ++byte) {
        for (std::size_t before = 0; before < 20; ++before) {
            const std::string text = std::string(before, 'x') + static_cast<char>(byte) + "tail";
            EXPECT_EQ(nlohmann::json::parse(escaped(text)).get<std::string>(), text) << byte << " after " << before;
        }
    }
    EXPECT_EQ(escaped(std::string("\0\b\x1f\n\r\t\"\\\x7f", 9)), "\"\\u0000\\u0008\\u001f\\n\\r\\t\\\"\\\\\x7f\"");
}

TEST(Json, KeepsUtf8AndReplacesWhatIsNot)
{
    for (const std::string_view text : {"é", "€uro", "😀", "\xF4\x8F\xBF\xBF", "aaaaaaaé😀aaaaaaaaaaaaaa€"})
        EXPECT_EQ(escaped(text), '"' + std::string(text) + '"');
    EXPECT_EQ(escaped("a\xC3"), "\"a\xEF\xBF\xBD\"");                               // cut off
    EXPECT_EQ(escaped("\x80z"), "\"\xEF\xBF\xBDz\"");                               // a piece without a start
    EXPECT_EQ(escaped("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                 // overlong
    EXPECT_EQ(escaped("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); // surrogate
    EXPECT_EQ(escaped("\xF4\x90\x80\x80").size(), 2 + 4 * 3U);                      // beyond U+10FFFF
}

TEST(Json, IsAlwaysValidForRandomBytes)
{
    std::minstd_rand random{7};
    for (int round = 0; round < 20'000; ++round) {
        std::string text(random() % 40, ' ');
        for (auto &byte : text)
            byte = static_cast<char>(random() % (round % 2 == 0 ? 256 : 0x30));
        EXPECT_TRUE(nlohmann::json::accept(escaped(text)));
    }
}

TEST(Json, RealsStayRealsAndReadBackExactly)
{
    EXPECT_EQ(real(1), "1.0");
    EXPECT_EQ(real(-0.0), "-0.0");
    EXPECT_EQ(real(0.1), "0.1");
    EXPECT_EQ(real(1e22), "1e+22");
    EXPECT_EQ(real(std::nan("")), R"("NaN")");
    EXPECT_EQ(real(-std::numeric_limits<double>::infinity()), R"("-Infinity")");
    for (const double value : {5e-324, 1.7976931348623157e308, 123456789.123456789})
        EXPECT_EQ(nlohmann::json::parse(real(value)).get<double>(), value);
}

TEST(Json, DecimalsKeepTheirDigits)
{
    EXPECT_EQ(decimal("12345678901234567890.120"), "12345678901234567890.120");
    EXPECT_EQ(decimal("-0.5"), "-0.5");
    EXPECT_EQ(decimal("NaN"), R"("NaN")");
    EXPECT_EQ(decimal("Infinity"), R"("Infinity")");
    for (const auto *text : {"", "-", ".5", "5.", "01", "1e", "0x1", "1 "})
        EXPECT_FALSE(json::is_number(text)) << text;
}

TEST(Json, Base64)
{
    EXPECT_EQ(base64(""), R"("")");
    EXPECT_EQ(base64("f"), R"("Zg==")");
    EXPECT_EQ(base64("fo"), R"("Zm8=")");
    EXPECT_EQ(base64("foo"), R"("Zm9v")");
    EXPECT_EQ(base64(std::string_view("\xff\x00\xfe", 3)), R"("/wD+")");
}

} // namespace
