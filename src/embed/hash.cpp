#include "embed/hash.hpp"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <stdexcept>

#include <openssl/evp.h>

namespace autosync::embed {
namespace {

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

constexpr std::string_view digits = "0123456789abcdef";

struct Free {
    void operator()(EVP_MD_CTX *context) const noexcept { EVP_MD_CTX_free(context); }
};

Digest digest(const EVP_MD *algorithm, std::initializer_list<std::string_view> pieces)
{
    Digest result{};
    const std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
    bool done = context != nullptr && algorithm != nullptr && EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1;
    for (const auto piece : pieces)
        done = done && EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1;
    if (!done || EVP_DigestFinal_ex(context.get(), result.data(), nullptr) != 1)
        throw std::runtime_error{"the cryptographic library cannot hash"};
    return result;
}

std::string hex(const Digest &bytes, std::size_t count)
{
    std::string out;
    out.reserve(2 * count + 4);
    for (std::size_t at = 0; at < count; ++at)
        out.append({digits[bytes.at(at) >> 4U], digits[bytes.at(at) & 15U]});
    return out;
}

unsigned char digit_value(char c) { return static_cast<unsigned char>(digits.find(c)); }

const EVP_MD *algorithm()
{
    static const EVP_MD *const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr); // looked up once: that costs more than a hash
    return sha256;
}

} // namespace

std::string fingerprint(std::string_view model, unsigned dimensions, std::string_view text)
{
    const std::string_view nul{"\0", 1};
    return hex(digest(algorithm(), {model, nul, std::to_string(dimensions), nul, text}), 16);
}

std::string sha256(std::string_view text)
{
    constexpr std::size_t size = 32;
    return hex(digest(algorithm(), {text}), size);
}

std::string uuid_of(std::string_view space, std::string_view name)
{
    static const EVP_MD *const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    std::string bytes;
    for (std::size_t at = 0; at + 1 < space.size();) {
        if (space[at] == '-') {
            ++at;
            continue;
        }
        bytes += static_cast<char>(digit_value(space[at]) << 4U | digit_value(space[at + 1]));
        at += 2;
    }
    auto hash = digest(sha1, {bytes, name});
    hash[6] = static_cast<unsigned char>((hash[6] & 0x0FU) | 0x50U);
    hash[8] = static_cast<unsigned char>((hash[8] & 0x3FU) | 0x80U);
    auto text = hex(hash, 16);
    for (const std::size_t at : {8U, 13U, 18U, 23U})
        text.insert(at, 1, '-');
    return text;
}

bool is_uuid(std::string_view text)
{
    if (text.size() != 36)
        return false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
        if (dash ? text[at] != '-' : digits.find(text[at]) == std::string_view::npos)
            return false;
    }
    return true;
}

} // namespace autosync::embed
