// A very small HTTP server on loopback, for what real ones do only on bad days.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace autosync::test {

/// One request as it arrived.
struct Received {
    std::string head; ///< request line and headers
    std::string body;
    [[nodiscard]] bool has(std::string_view line) const { return head.find(std::string{"\r\n"} + std::string{line} + "\r\n") != std::string::npos; }
};

/// The server's side of a connection, for scripts.
class Connection final {
public:
    explicit Connection(int socket) : socket_{socket} {}
    bool read(Received &request);             ///< false: the client has gone
    void write(std::string_view bytes) const; ///< nothing happens when the client has gone
    void answer(int status, std::string_view body, std::string_view more_headers = {}) const;
    void reset(); ///< RST instead of FIN
    [[nodiscard]] bool open() const { return socket_ >= 0; }
    void close();

private:
    int socket_;
    std::string buffer_;
};

/// Each connection runs on a thread of its own; `script` is called per request and keeps the connection unless it closes it.
class HttpServer final {
public:
    using Script = std::function<void(Connection &, const Received &)>;
    explicit HttpServer(Script script);
    ~HttpServer();
    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;

    [[nodiscard]] std::string url(std::string_view path = "/") const;
    [[nodiscard]] int connections() const { return connections_; }
    [[nodiscard]] std::vector<Received> received() const;

private:
    void accept_all();
    void serve(int socket);

    Script script_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<int> connections_{0};
    mutable std::mutex mutex_;
    std::vector<Received> received_;
    std::vector<int> sockets_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

} // namespace autosync::test
