// Names that real resolvers do not have. Defined here, the test binary's own resolver stands before the C library's.
#include <atomic>
#include <chrono>
#include <string_view>
#include <thread>

#include <dlfcn.h>
#include <netdb.h>

namespace {

std::atomic<unsigned> rebound{0};

} // namespace

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const addrinfo *hints, addrinfo **result)
{
    static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
    const std::string_view name{node == nullptr ? "" : node};
    if (name == "slow.test")
        std::this_thread::sleep_for(std::chrono::seconds{3});
    if (name == "rebound.test") // of another address each time
        return real(rebound++ % 2 == 0 ? "127.0.0.1" : "169.254.169.254", service, hints, result);
    if (name.ends_with(".test"))
        return EAI_NONAME;
    return real(node, service, hints, result);
}
