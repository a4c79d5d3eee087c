// Stands for a Neo4j, a Qdrant and an embedding provider that cost nothing: takes their requests on loopback and answers each at once with
// what success looks like, so that what is measured is autosync, not a database. Takes Debezium's events as well. One thread, one epoll set.
//   instant_server PORT LOG [MOST]   a line per request in LOG: arrival (µs since 1970), rows, and the keys when there are few of them, else
//                                    those alone that begin with a 9: probes among the others. What comes beyond MOST requests a second is
//                                    answered 429
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "instant_json.hpp"
#include "instant_vectors.hpp"

namespace {

using instant::Answer;
using instant::count_members;

constexpr std::size_t few = 16; ///< keys worth a place in the log

/// One result per statement: how many rows were applied, and that none was stale; no row for statements about the schema.
Answer answer_to(std::string_view request)
{
    constexpr std::string_view begin = R"({"statement":)";
    constexpr std::string_view rows = R"("rows":[)";
    Answer answer{R"({"results":[)"};
    for (auto at = request.find(begin); at != std::string_view::npos;) {
        auto next = request.find(begin, at + begin.size());
        auto list = request.find(rows, at);
        answer.body += answer.body.back() == '[' ? "" : ",";
        if (list < next) {
            list += rows.size();
            const auto count = count_members(request, list);
            answer.rows += count;
            answer.body += R"({"columns":["applied","newer"],"data":[{"row":[)" + std::to_string(count) + R"(,null],"meta":[null,null]}]})";
            next = request.find(begin, list);
        } else if (request.substr(at, next - at).find("dbms.components") != std::string_view::npos) {
            answer.body += R"({"columns":["version","edition"],"data":[{"row":["5.26.0","none"],"meta":[null,null]}]})";
        } else {
            answer.body += R"({"columns":[],"data":[]})";
        }
        at = next;
    }
    answer.body += R"(],"errors":[],"lastBookmarks":[]})";
    return answer;
}

/// One change a request, in Debezium's envelope.
std::optional<Answer> answer_to_debezium(std::string_view path)
{
    return path == "/debezium" ? std::optional{Answer{"{}", 1}} : std::nullopt;
}

void note(std::FILE *log, std::int64_t arrived, std::size_t rows, std::string_view request)
{
    if (rows == 0)
        return;
    (void)std::fprintf(log, "%lld %zu", static_cast<long long>(arrived), rows);
    constexpr std::string_view any = R"("_key":")";
    constexpr std::string_view probe = R"("_key":"9)";
    constexpr std::string_view debezium = R"("after":{"id":)";
    const bool ours = request.find(any) != std::string_view::npos;
    const auto name = !ours ? debezium : rows > few ? probe : any;
    for (auto at = request.find(name); at != std::string_view::npos; at = request.find(name, at)) {
        at += ours ? any.size() : debezium.size();
        const auto key = request.substr(at, request.find_first_of("\",", at) - at);
        (void)std::fprintf(log, " %.*s", static_cast<int>(key.size()), key.data());
    }
    (void)std::fputc('\n', log);
    (void)std::fflush(log);
}

std::int64_t now()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A bucket of one second's requests that fills again all the while, as most providers have it; one for all connections.
class Allowance final {
public:
    explicit Allowance(long a_second) : a_second_{static_cast<double>(a_second)}, left_{a_second_} {}
    bool take(std::int64_t time)
    {
        left_ = std::min(a_second_, left_ + static_cast<double>(time - last_) * a_second_ / 1e6);
        last_ = time;
        if (a_second_ > 0 && left_ < 1)
            return false;
        left_ -= 1;
        return true;
    }

private:
    double a_second_; ///< 0: any number
    double left_;
    std::int64_t last_ = 0;
};

class Connection final {
public:
    Connection(int socket, std::FILE *log, Allowance &allowance) : socket_{socket}, log_{log}, allowance_{allowance} {}
    ~Connection() { close(socket_); }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    /// Takes what has come and answers whatever is complete; false: the peer has left.
    bool serve()
    {
        std::array<char, 1 << 16> piece{};
        const auto size = recv(socket_, piece.data(), piece.size(), 0);
        if (size <= 0)
            return false;
        if (buffer_.empty())
            arrived_ = now();
        buffer_.append(piece.data(), static_cast<std::size_t>(size));
        for (;;) {
            const auto end = buffer_.find("\r\n\r\n");
            if (end == std::string::npos)
                return true;
            const auto head = std::string_view{buffer_}.substr(0, end);
            const std::size_t length = content_length(head);
            const std::size_t whole = end + 4 + length;
            if (buffer_.size() < whole) {
                expect(head);
                return true;
            }
            const auto body = std::string_view{buffer_}.substr(end + 4, length);
            const auto line = head.substr(0, head.find("\r\n"));
            const auto path = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
            if (allowance_.take(now())) {
                auto found = answer_to_debezium(path);
                found = found ? found : instant::answer_for(path, body);
                const auto answer = found ? *found : answer_to(body);
                reply("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body);
                note(log_, arrived_, answer.rows, body);
            } else {
                reply("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
            }
            buffer_.erase(0, whole);
            asked_ = false;
            arrived_ = now();
        }
    }

private:
    static std::size_t content_length(std::string_view head)
    {
        constexpr std::string_view name = "Content-Length: ";
        const auto at = head.find(name);
        std::size_t length = 0;
        if (at != std::string_view::npos)
            (void)std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
        return length;
    }
    void expect(std::string_view head)
    {
        if (!asked_ && head.find("Expect: 100-continue") != std::string_view::npos)
            reply("HTTP/1.1 100 Continue\r\n\r\n");
        asked_ = true;
    }
    void reply(const std::string &text) const { (void)send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }

    int socket_;
    std::FILE *log_;
    Allowance &allowance_;
    std::string buffer_;
    std::int64_t arrived_ = 0;
    bool asked_ = false;
};

int listen_on(const char *port)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    if (bind(listener, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 || listen(listener, 16) != 0)
        return -1;
    return listener;
}

int serve(int listener, std::FILE *log, long most)
{
    Allowance allowance{most};
    const int set = epoll_create1(EPOLL_CLOEXEC);
    epoll_event waited{};
    waited.events = EPOLLIN;
    waited.data.fd = listener;
    (void)epoll_ctl(set, EPOLL_CTL_ADD, listener, &waited);
    std::unordered_map<int, std::unique_ptr<Connection>> connections;
    std::array<epoll_event, 16> events{};
    for (;;) {
        const int count = epoll_wait(set, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int ready = events[static_cast<std::size_t>(i)].data.fd;
            if (ready != listener) {
                if (!connections.at(ready)->serve())
                    connections.erase(ready);
                continue;
            }
            const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            const int on = 1;
            (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            waited.data.fd = socket;
            connections.emplace(socket, std::make_unique<Connection>(socket, log, allowance));
            (void)epoll_ctl(set, EPOLL_CTL_ADD, socket, &waited);
        }
    }
}

} // namespace

int main(int count, char **arguments)
{
    std::FILE *const log = count == 3 || count == 4 ? std::fopen(arguments[2], "w") : nullptr;
    const int listener = log == nullptr ? -1 : listen_on(arguments[1]);
    if (listener < 0) {
        (void)std::fputs("usage: instant_server PORT LOG [MOST] (is the port free, can the log be written?)\n", stderr);
        return 1;
    }
    return serve(listener, log, count == 4 ? std::atol(arguments[3]) : 0);
}
