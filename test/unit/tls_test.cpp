// sslmode against a real handshake, with certificates made on the spot.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_asking.hpp"

namespace autosync::http {
namespace {

using test::ask;
using test::post;
using Failure = Response::Failure;

struct Free {
    void operator()(EVP_PKEY *key) const { EVP_PKEY_free(key); }
    void operator()(X509 *certificate) const { X509_free(certificate); }
    void operator()(X509_EXTENSION *extension) const { X509_EXTENSION_free(extension); }
    void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
    void operator()(SSL *session) const { SSL_free(session); }
    void operator()(std::FILE *file) const { std::fclose(file); }
};
template <typename T> using Owned = std::unique_ptr<T, Free>;

/// Speaks TLS on loopback with a self-signed certificate for `name` ("IP:127.0.0.1", "DNS:other.test") and answers "hello".
class TlsServer final {
public:
    explicit TlsServer(const char *name) : key_{EVP_EC_gen("P-256")}, certificate_{X509_new()}, context_{SSL_CTX_new(TLS_server_method())}
    {
        std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to clients that have left; PostgreSQL ignores it as well
        sign(name);
        SSL_CTX_use_certificate(context_.get(), certificate_.get());
        SSL_CTX_use_PrivateKey(context_.get(), key_.get());
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr *>(&address), size), 0);
        EXPECT_EQ(listen(listener_, 8), 0);
        getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~TlsServer()
    {
        shutdown(listener_, SHUT_RDWR);
        thread_.join();
        close(listener_);
        std::filesystem::remove(file_);
    }
    TlsServer(const TlsServer &) = delete;
    TlsServer &operator=(const TlsServer &) = delete;

    [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }
    [[nodiscard]] const std::string &certificate_file() const { return file_; }

private:
    void sign(const char *name)
    {
        auto *certificate = certificate_.get();
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key_.get());
        auto *subject = X509_get_subject_name(certificate);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>("autosync test"), -1, -1, 0);
        X509_set_issuer_name(certificate, subject);
        const Owned<X509_EXTENSION> extension{X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name)};
        X509_add_ext(certificate, extension.get(), -1);
        X509_sign(certificate, key_.get(), EVP_sha256());
        file_ = testing::TempDir() + "autosync-tls-" + std::to_string(getpid()) + "-" + std::string{name}.substr(0, 3) + ".pem";
        const Owned<std::FILE> file{std::fopen(file_.c_str(), "we")};
        PEM_write_X509(file.get(), certificate);
    }
    void serve() const
    {
        for (int client = 0; (client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; close(client)) {
            const Owned<SSL> session{SSL_new(context_.get())};
            SSL_set_fd(session.get(), client);
            char request[4096];
            if (SSL_accept(session.get()) != 1 || SSL_read(session.get(), request, sizeof request) <= 0)
                continue;
            constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            SSL_write(session.get(), answer.data(), static_cast<int>(answer.size()));
            SSL_shutdown(session.get());
        }
    }

    Owned<EVP_PKEY> key_;
    Owned<X509> certificate_;
    Owned<SSL_CTX> context_;
    std::string file_;
    int listener_ = -1;
    int port_ = 0;
    std::thread thread_;
};

Response speak(const TlsServer &server, const std::string &sslmode, bool trusted)
{
    Access access;
    access.sslmode = sslmode;
    if (trusted)
        access.sslrootcert = server.certificate_file();
    return ask(post(server.url()), access);
}

TEST(Tls, AcceptsACertificateThatIsTrustedAndNamesTheHost)
{
    const TlsServer server{"IP:127.0.0.1"};
    for (const auto *mode : {"verify-full", "verify-ca", "require"}) {
        const auto response = speak(server, mode, true);
        EXPECT_EQ(response.body, "hello") << mode << ": " << response.error;
    }
}

TEST(Tls, RefusesAnotherHostsCertificateUnlessToldOtherwise)
{
    const TlsServer server{"DNS:other.test"};
    EXPECT_EQ(speak(server, "verify-full", true).failure, Failure::connect);
    EXPECT_EQ(speak(server, "an unknown mode", true).failure, Failure::connect);
    EXPECT_EQ(speak(server, "verify-ca", true).body, "hello");
    EXPECT_EQ(speak(server, "require", true).body, "hello");
}

TEST(Tls, RefusesAnUntrustedCertificateUnlessToldOtherwise)
{
    const TlsServer server{"IP:127.0.0.1"};
    for (const auto *mode : {"verify-full", "verify-ca"}) {
        const auto response = speak(server, mode, false);
        EXPECT_EQ(response.failure, Failure::connect) << mode;
        EXPECT_EQ(response.sent_bytes, 0U);
        EXPECT_FALSE(response.error.empty());
    }
    EXPECT_EQ(speak(server, "require", false).body, "hello");
}

} // namespace
} // namespace autosync::http
