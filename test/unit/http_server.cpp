#include "http_server.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace autosync::test {
namespace {

std::size_t content_length(const std::string &head)
{
    constexpr std::string_view name = "Content-Length: ";
    const auto at = head.find(name);
    return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
}

} // namespace

bool Connection::read(Received &request)
{
    std::array<char, 65536> chunk{};
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos || buffer_.size() < end + 4 + content_length(buffer_.substr(0, end + 2))) {
        const auto count = recv(socket_, chunk.data(), chunk.size(), 0);
        if (count <= 0)
            return false;
        buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    }
    request.head = buffer_.substr(0, end + 2);
    const auto length = content_length(request.head);
    request.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    return true;
}

void Connection::write(std::string_view bytes) const
{
    while (!bytes.empty()) {
        const auto count = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void Connection::answer(int status, std::string_view body, std::string_view more_headers) const
{
    std::string text = "HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    text.append(more_headers).append("\r\n").append(body);
    write(text);
}

void Connection::reset()
{
    const linger abort{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close();
}

void Connection::close()
{
    if (socket_ >= 0)
        ::close(socket_);
    socket_ = -1;
}

HttpServer::HttpServer(Script script) : script_{std::move(script)}, listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr *>(&address), size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &size) != 0)
        throw std::runtime_error{"no loopback port for the test server"};
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread{[this] { accept_all(); }};
}

HttpServer::~HttpServer()
{
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
        const std::lock_guard lock{mutex_};
        for (const int socket : sockets_)
            shutdown(socket, SHUT_RDWR);
    }
    for (auto &thread : threads_)
        thread.join();
}

std::string HttpServer::url(std::string_view path) const { return "http://127.0.0.1:" + std::to_string(port_) + std::string{path}; }

std::vector<Received> HttpServer::received() const
{
    const std::lock_guard lock{mutex_};
    return received_;
}

void HttpServer::accept_all()
{
    for (;;) {
        const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0)
            return;
        ++connections_;
        const std::lock_guard lock{mutex_};
        sockets_.push_back(socket);
        threads_.emplace_back([this, socket] { serve(socket); });
    }
}

void HttpServer::serve(int socket)
{
    Connection connection{socket};
    Received request;
    while (connection.open() && connection.read(request)) {
        {
            const std::lock_guard lock{mutex_};
            received_.push_back(request);
        }
        script_(connection, request);
    }
    const std::lock_guard lock{mutex_};
    std::erase(sockets_, socket);
    connection.close();
}

} // namespace autosync::test
