#include "atproto/context.hpp"
#include "fuzz.hpp"
#include "targets/atproto_dialogue.hpp"

namespace autosync::fuzz {

using namespace targets::atproto;

/// Any answers whatever, to any conversation: it ends, and says something of every change only as it has heard it.
FUZZ(pds_dialogues)
{
    constexpr int longest = 2'000; // a conversation that asks more of three records goes round in circles
    Input input{bytes};
    std::map<std::string, autosync::atproto::Budget> budgets;
    targets::atproto::Context context;
    context.budgets = &budgets;
    Session session;
    session.did = "did:plc:abc";
    session.pds = "http://pds";
    session.access = std::make_shared<http::Access>();
    context.sessions[session.did] = session;
    const bool single = input.flag();
    const auto count = single ? 1U : input.number() % 3 + 1;
    std::vector<std::size_t> all;
    for (unsigned i = 0; i < count; ++i) {
        const auto shape = input.number();
        Intent intent;
        intent.at = {session.did, "com.example.note", std::string(1, static_cast<char>('a' + i))};
        intent.record = (shape & 1U) != 0 ? "" : R"({"$type":"com.example.note","createdAt":"2024-02-29T12:34:56.789Z","image":{"$type":"blob","mimeType":"image/png","ref":{"$link":"bafkreib"},"size":5}})";
        intent.cid = "c" + std::to_string(i);
        intent.there = static_cast<There>((shape >> 1U) % 3);
        intent.yields = single && (shape & 8U) != 0;
        intent.existed = (shape & 16U) != 0;
        if (single && (shape & 32U) != 0)
            intent.former.push_back({session.did, "com.example.note", "old"});
        if (single && (shape & 64U) != 0)
            intent.blobs.push_back({"image", "image/png", "bafkreib", "bytes", false});
        context.intents.push_back(intent);
        all.push_back(i);
    }
    const auto planned = single ? plan_single(context, 0) : plan_batch(context, all);
    for (int step = 0;; ++step) {
        holds(step < longest);
        const auto body = input.text();
        auto response = answer(input, body.empty() ? "{}" : body);
        if (body.size() % 5 == 1)
            response.headers.emplace_back("dpop-nonce", body);
        const auto verdict = planned.dialogue->hear(response);
        if (!verdict.follow_up)
            break;
        holds(!verdict.follow_up->url.empty());
    }
}

} // namespace autosync::fuzz
