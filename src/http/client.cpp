#include "http/client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/check.hpp"
#include "http/signals.hpp"
#include "http/transfer.hpp"

namespace autosync::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t pool_limit = 16; ///< idle easy handles kept
constexpr long connection_limit = 64;  ///< connections kept open, over all targets
constexpr int passes = 16;             ///< over the ready sockets per call, so that work() stays short
constexpr std::chrono::minutes no_hurry{1};

class Descriptor final {
public:
    explicit Descriptor(int number) : number_{number} {}
    ~Descriptor()
    {
        if (number_ >= 0)
            close(number_);
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

struct CleanupMulti {
    void operator()(CURLM *multi) const noexcept { curl_multi_cleanup(multi); }
};

void initialise()
{
    static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK)
        throw std::runtime_error{std::string{"could not initialise libcurl: "} + curl_easy_strerror(code)};
}

} // namespace

/// Order of members: the multi handle goes before the descriptor that its last callbacks still use.
struct Client::State {
    Descriptor epoll{epoll_create1(EPOLL_CLOEXEC)};
    std::optional<Clock::time_point> deadline; ///< when libcurl wants to be called
    std::unique_ptr<CURLM, CleanupMulti> multi{curl_multi_init()};
    std::map<Ticket, std::unique_ptr<Transfer>> flying;
    std::vector<std::unique_ptr<Transfer>> idle;
    std::vector<Answer> answers;
    std::string allowed_text;
    std::shared_ptr<const AllowList> allowed;
    Ticket last = 0;

    State();
    ~State();
    State(const State &) = delete;
    State &operator=(const State &) = delete;

    void launch(Ticket ticket, Request request, const Access &access, const Limits &limits, const Endpoint &endpoint);
    void refuse(Ticket ticket, std::string why);
    void act(curl_socket_t socket, int events);
    void collect();
    void retire(std::unique_ptr<Transfer> transfer);
    const std::shared_ptr<const AllowList> &allow_list(const std::string &text);

    static int on_socket(CURL *easy, curl_socket_t socket, int what, void *self, void *known) noexcept;
    static int on_timer(CURLM *multi, long milliseconds, void *self) noexcept;
};

Client::State::State()
{
    if (epoll.get() < 0)
        throw std::system_error{errno, std::generic_category(), "could not create an epoll descriptor"};
    if (!multi)
        throw std::bad_alloc{};
    curl_multi_setopt(multi.get(), CURLMOPT_SOCKETFUNCTION, &State::on_socket);
    curl_multi_setopt(multi.get(), CURLMOPT_SOCKETDATA, static_cast<void *>(this));
    curl_multi_setopt(multi.get(), CURLMOPT_TIMERFUNCTION, &State::on_timer);
    curl_multi_setopt(multi.get(), CURLMOPT_TIMERDATA, static_cast<void *>(this));
    curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, connection_limit);
}

Client::State::~State()
{
    const SignalGuard guard;
    for (auto &[ticket, transfer] : flying)
        curl_multi_remove_handle(multi.get(), transfer->handle());
    flying.clear();
    idle.clear();
    multi.reset();
}

int Client::State::on_socket(CURL *, curl_socket_t socket, int what, void *self, void *) noexcept
{
    const int epoll = static_cast<State *>(self)->epoll.get();
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr); // it may be closed already, and so gone by itself
        return 0;
    }
    epoll_event event{};
    event.data.fd = socket;
    if ((what & CURL_POLL_IN) != 0)
        event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0)
        event.events |= EPOLLOUT;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) == 0)
        return 0;
    // Unknown, or a number used again for a new socket.
    return errno == ENOENT && epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0 ? 0 : -1;
}

int Client::State::on_timer(CURLM *, long milliseconds, void *self) noexcept
{
    auto &deadline = static_cast<State *>(self)->deadline;
    if (milliseconds < 0)
        deadline.reset();
    else
        deadline = Clock::now() + std::chrono::milliseconds{milliseconds};
    return 0;
}

const std::shared_ptr<const AllowList> &Client::State::allow_list(const std::string &text)
{
    if (!allowed || text != allowed_text) {
        allowed = std::make_shared<const AllowList>(text);
        allowed_text = text;
    }
    return allowed;
}

void Client::State::refuse(Ticket ticket, std::string why)
{
    Answer answer{ticket, {}};
    answer.response.failure = Response::Failure::connect;
    answer.response.error = std::move(why);
    answers.push_back(std::move(answer));
}

void Client::State::launch(Ticket ticket, Request request, const Access &access, const Limits &limits, const Endpoint &endpoint)
{
    if (idle.empty())
        idle.push_back(std::make_unique<Transfer>());
    auto transfer = std::move(idle.back());
    idle.pop_back();
    transfer->start(ticket, std::move(request), access, limits, endpoint, allow_list(limits.allowed_hosts));
    auto &entry = flying[ticket];
    entry = std::move(transfer);
    const auto code = curl_multi_add_handle(multi.get(), entry->handle());
    if (code != CURLM_OK) {
        flying.erase(ticket);
        throw std::runtime_error{curl_multi_strerror(code)};
    }
}

/// A failure of the multi handle itself shows in its transfers, each of which then ends with an error of its own.
void Client::State::act(curl_socket_t socket, int events)
{
    int running = 0;
    curl_multi_socket_action(multi.get(), socket, events, &running);
}

void Client::State::collect()
{
    int left = 0;
    while (const CURLMsg *message = curl_multi_info_read(multi.get(), &left)) {
        if (message->msg != CURLMSG_DONE)
            continue;
        const auto code = message->data.result;
        CURL *const handle = message->easy_handle;
        const auto ticket = Transfer::of(handle)->ticket();
        auto found = flying.extract(ticket);
        curl_multi_remove_handle(multi.get(), handle); // `message` is gone after this
        answers.push_back({ticket, found.mapped()->finish(code)});
        retire(std::move(found.mapped()));
    }
}

void Client::State::retire(std::unique_ptr<Transfer> transfer)
{
    if (idle.size() < pool_limit)
        idle.push_back(std::move(transfer));
}

Client::Client()
{
    initialise();
    state_ = std::make_unique<State>();
}

Client::~Client() = default;

Client::Ticket Client::send(Request request, const Access &access, const Limits &limits)
{
    auto &state = *state_;
    const auto ticket = ++state.last;
    if (auto problem = check(request, access)) {
        state.refuse(ticket, std::move(*problem));
        return ticket;
    }
    const auto where = endpoint(request.url);
    if (!where) {
        state.refuse(ticket, "the URL is not an http or https URL without credentials");
        return ticket;
    }
    if (state.allow_list(limits.allowed_hosts)->host(where->host) == AllowList::Host::refused) {
        state.refuse(ticket, "host \"" + where->host + "\" is not among autosync.allowed_hosts");
        return ticket;
    }
    const SignalGuard guard;
    state.launch(ticket, std::move(request), access, limits, *where);
    // On its way now, not at the next work(): the server has it while the caller prepares the next.
    state.act(CURL_SOCKET_TIMEOUT, 0);
    state.collect();
    return ticket;
}

void Client::cancel(Ticket ticket)
{
    auto &state = *state_;
    std::erase_if(state.answers, [&](const Answer &answer) { return answer.ticket == ticket; });
    auto found = state.flying.extract(ticket);
    if (found.empty())
        return;
    const SignalGuard guard;
    curl_multi_remove_handle(state.multi.get(), found.mapped()->handle());
    found.mapped()->abandon();
    state.retire(std::move(found.mapped()));
}

int Client::descriptor() const noexcept { return state_->epoll.get(); }

std::chrono::milliseconds Client::patience() const
{
    if (!state_->answers.empty())
        return std::chrono::milliseconds::zero();
    if (!state_->deadline)
        return no_hurry;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*state_->deadline - Clock::now());
    return std::clamp<std::chrono::milliseconds>(left, std::chrono::milliseconds::zero(), no_hurry);
}

std::vector<Client::Answer> Client::work()
{
    auto &state = *state_;
    const SignalGuard guard;
    std::array<epoll_event, 64> ready{};
    for (int pass = 0; pass < passes; ++pass) {
        const int count = epoll_wait(state.epoll.get(), ready.data(), static_cast<int>(ready.size()), 0);
        for (int i = 0; i < count; ++i) {
            const auto &event = ready[static_cast<std::size_t>(i)];
            int events = 0;
            if ((event.events & EPOLLIN) != 0)
                events |= CURL_CSELECT_IN;
            if ((event.events & EPOLLOUT) != 0)
                events |= CURL_CSELECT_OUT;
            if ((event.events & (EPOLLERR | EPOLLHUP)) != 0)
                events |= CURL_CSELECT_ERR;
            state.act(event.data.fd, events);
        }
        const bool due = state.deadline && *state.deadline <= Clock::now();
        if (due) {
            state.deadline.reset();
            state.act(CURL_SOCKET_TIMEOUT, 0);
        }
        if (count <= 0 && !due)
            break;
    }
    state.collect();
    return std::exchange(state.answers, {});
}

std::size_t Client::in_flight() const noexcept { return state_->flying.size() + state_->answers.size(); }

} // namespace autosync::http
