// libFuzzer's entry: the one target that this program is linked with.
#include <cstdio>
#include <cstdlib>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    try {
        autosync::fuzz::targets().front().run({reinterpret_cast<const char *>(data), size});
    } catch (const autosync::fuzz::Broken &broken) {
        std::fprintf(stderr, "does not hold: %s\n", broken.what.c_str());
        std::abort();
    }
    return 0;
}
