#include "config/options.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using namespace autosync::config;
using std::chrono::milliseconds;

std::string hint(std::string_view kind, Level level, std::string_view name, std::string_view value)
{
    const auto error = check_option(kind, level, name, value);
    return error ? error->hint : "fine";
}

TEST(Options, EveryRowOfTheTableIsComplete)
{
    for (const auto &option : options()) {
        EXPECT_FALSE(option.help.empty()) << option.name;
        EXPECT_FALSE(option.levels.empty()) << option.name;
        if (option.type == OptionType::integer || option.type == OptionType::duration || option.type == OptionType::number) {
            EXPECT_LT(option.least, option.most) << option.name;
        }
    }
}

TEST(Options, AnUnknownOneNamesTheOneMeant)
{
    const auto error = check_option("neo4j", Level::sync, "lable", "Customer");
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->unknown);
    EXPECT_EQ(error->message, "invalid option \"lable\" for a sync of kind \"neo4j\"");
    EXPECT_EQ(error->hint, "Perhaps you meant the option \"label\".");
    EXPECT_EQ(hint("neo4j", Level::server, "batchsize", "1"), "Perhaps you meant the option \"batch_size\".");
}

TEST(Options, AnUnknownOneListsTheValidOnes)
{
    EXPECT_EQ(hint("neo4j", Level::user_mapping, "zzzzzzzz", "1"),
              "Valid options in this context are: username, username_file, password, password_file, bearer_token, bearer_token_file.");
    EXPECT_EQ(hint("test", Level::user_mapping, "zzzzzzzz", "1"), "There are no valid options in this context.");
}

TEST(Options, OneOfAnotherLevelSaysSo)
{
    EXPECT_EQ(hint("neo4j", Level::server, "password", "x"), "It is an option of the user mapping.");
    EXPECT_EQ(hint("neo4j", Level::sync, "url", "x"), "It is an option of the server.");
}

TEST(Options, AMaskStandsForAValue)
{
    const auto masks = parse_masks(R"({"email": "hash", "phone": "null", "fax": null, "name": "secret"})");
    ASSERT_EQ(masks.size(), 4);
    EXPECT_EQ(masks.at("email"), (Mask{Mask::Way::hash}));
    EXPECT_EQ(masks.at("phone"), (Mask{Mask::Way::null}));
    EXPECT_EQ(masks.at("fax"), (Mask{Mask::Way::null}));
    EXPECT_EQ(masks.at("name"), (Mask{Mask::Way::text, "secret"}));
    for (const auto *const wrong : {"{}", "[]", "email", R"({"email": 1})", R"({"email": {"how": "hash"}})", R"({"email": "hash")"})
        EXPECT_THROW((void)parse_masks(wrong), std::invalid_argument) << wrong;
}

TEST(Options, KindsHaveTheirOwn)
{
    EXPECT_EQ(hint("neo4j", Level::sync, "label", "Customer"), "fine");
    EXPECT_NE(hint("test", Level::sync, "label", "Customer"), "fine");
    EXPECT_EQ(hint("test", Level::server, "fail", "x"), "fine");
    EXPECT_NE(hint("neo4j", Level::server, "fail", "x"), "fine");
}

TEST(Options, ValuesAreChecked)
{
    const auto server = [](std::string_view name, std::string_view value) { return hint("neo4j", Level::server, name, value); };
    EXPECT_EQ(server("batch_size", "500"), "fine");
    EXPECT_EQ(server("batch_size", "0"), "The value must be between 1 and 100000.");
    EXPECT_EQ(server("batch_size", "5x"), "The value must be between 1 and 100000.");
    EXPECT_EQ(server("rate_limit", "0.5"), "fine");
    EXPECT_EQ(server("rate_limit", "nan"), "The value must be between 0 and 1000000.");
    EXPECT_EQ(server("enabled", "maybe"), "The value must be on or off.");
    EXPECT_EQ(server("request_timeout", "0"), "The value must be between 1 and 86400000 ms.");
    EXPECT_EQ(server("sslmode", "prefer"), "Valid values are: verify-full, verify-ca, require.");
    EXPECT_EQ(server("database", " "), "The value must not be empty.");
    EXPECT_EQ(hint("test", Level::sync, "operations", "insert, delete"), "fine");
    EXPECT_EQ(hint("test", Level::sync, "operations", "insert,upsert"), "Valid values are: insert, update, delete, truncate.");
    EXPECT_EQ(hint("neo4j", Level::sync, "relationships", "off"), "fine");
    EXPECT_EQ(hint("neo4j", Level::sync, "relationships", R"({"a_id": {"type": "X"}})"), "fine");
    EXPECT_EQ(hint("neo4j", Level::sync, "relationships", "some"), "The value must be a JSON object, or one of: on, off.");
    EXPECT_EQ(hint("neo4j", Level::sync, "properties", "[1]"), "The value must be a JSON object.");
}

TEST(Options, ColumnsOfVectors)
{
    EXPECT_EQ(parse_vectors("name, description"), (Vectors{{"", {"name", "description"}}}));
    EXPECT_EQ(parse_vectors(R"(["name"])"), (Vectors{{"", {"name"}}}));
    EXPECT_EQ(parse_vectors(R"({"title": "name", "body": ["a", "b"]})"), (Vectors{{"title", {"name"}}, {"body", {"a", "b"}}}));
    for (const auto *const wrong : {"", "{}", R"({"": "a"})", R"({"a": 1})", R"({"a": []})", R"(["a", "a"])", "{", R"({"a": {"b": "c"}})"})
        EXPECT_THROW((void)parse_vectors(wrong), std::invalid_argument) << wrong;
    EXPECT_EQ(hint("qdrant", Level::sync, "vector", "embedding"), "fine");
    EXPECT_EQ(hint("qdrant", Level::sync, "vector", R"({"image": "e1", "text": "e2"})"), "fine");
    EXPECT_EQ(hint("qdrant", Level::sync, "vector", "a, b"), "The value must be the name of a column, or a JSON object with one per vector.");
    EXPECT_EQ(hint("qdrant", Level::sync, "embed", "a, b"), "fine");
    EXPECT_EQ(vector_columns({{"embed", "a,b"}, {"vector", R"({"v": "c", "w": "a"})"}}), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_TRUE(gives_vectors({{"embed_expression", "a || b"}}));
    EXPECT_FALSE(gives_vectors({{"columns", "a"}}));
    EXPECT_EQ(options_to_json({{"embed", R"(["a"])"}, {"vector", R"({"v": "c"})"}}), R"({"embed":["a"],"vector":{"v":"c"}})");
}

TEST(Options, ServicesHaveOnlyWhatTheyObey)
{
    EXPECT_EQ(hint("openai", Level::server, "max_inputs", "10"), "fine");
    EXPECT_EQ(hint("openai", Level::server, "sslmode", "require"), "fine");
    EXPECT_NE(hint("openai", Level::server, "batch_size", "10"), "fine");
    EXPECT_EQ(hint("qdrant", Level::server, "batch_size", "10"), "fine");
}

TEST(Options, UrlsOfQdrantAndEmbeddersGetTheHttpOne)
{
    EXPECT_EQ(http_url("qdrant://db"), "http://db:6333");
    EXPECT_EQ(http_url("qdrant://db:6334/x"), "http://db:6333");
    EXPECT_EQ(http_url("qdrants://db:443"), "https://db:443");
    EXPECT_EQ(http_url("qdrant+s://db"), "https://db:6333");
    EXPECT_EQ(http_url("openai://api.openai.com/v1"), "https://api.openai.com/v1");
    EXPECT_EQ(http_url("openai+http://127.0.0.1:11434/v1"), "http://127.0.0.1:11434/v1");
    EXPECT_FALSE(http_url("qdrants+s://db"));
    EXPECT_FALSE(http_url("test://"));
    EXPECT_EQ(kind_of_url("qdrant://db"), "qdrant");
    EXPECT_EQ(kind_of_url("bolt+s://db"), "neo4j");
    EXPECT_EQ(kind_of_url("openai+http://db"), "openai");
    EXPECT_EQ(kind_of_url("test:"), "test");
    EXPECT_EQ(kind_of_url("http://db"), "");
    EXPECT_EQ(hint("qdrant", Level::server, "url", "qdrant://db"), "The server is reached over HTTP: http://db:6333.");
}

TEST(Options, OfATargetDeclaredInOneGo)
{
    const auto told = [](std::string_view kind, std::string_view name) {
        const auto error = check_target_option(kind, name);
        return error ? error->hint : "fine";
    };
    EXPECT_EQ(told("neo4j", "database"), "fine");
    EXPECT_EQ(told("neo4j", "password"), "fine");
    EXPECT_EQ(told("neo4j", "pasword"), "Perhaps you meant the option \"password\".");
    EXPECT_EQ(told("neo4j", "databse"), "Perhaps you meant the option \"database\".");
    EXPECT_EQ(told("neo4j", "label"), "It is an option of the sync.");
    const auto all = told("neo4j", "colour");
    EXPECT_NE(all.find("batch_size"), std::string::npos);
    EXPECT_NE(all.find("password_file"), std::string::npos);
    EXPECT_NE(told("test", "password"), "fine");
}

TEST(Options, ASecretIsNeverShown)
{
    const auto error = check_option("neo4j", Level::user_mapping, "password", "s3cret\n");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->message.find("s3cret"), std::string::npos);
    EXPECT_EQ(error->hint.find("s3cret"), std::string::npos);
    const auto url = check_option("neo4j", Level::server, "url", "http://neo4j:s3cret@localhost:7474");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->message.find("s3cret"), std::string::npos);
    EXPECT_EQ(url->hint, "User name and password belong into the user mapping.");
}

TEST(Options, UrlsOfNeo4jGetTheHttpOne)
{
    EXPECT_EQ(http_url("neo4j://127.0.0.1:7474"), "http://127.0.0.1:7474");
    EXPECT_EQ(http_url("bolt://db:7687/x"), "http://db:7474");
    EXPECT_EQ(http_url("neo4j://db"), "http://db:7474");
    EXPECT_EQ(http_url("bolt+ssc://db:7687"), "https://db:7473");
    EXPECT_EQ(http_url("neo4j+s://abc.databases.neo4j.io"), "https://abc.databases.neo4j.io");
    EXPECT_EQ(http_url("neo4j+s://abc.databases.neo4j.io:7687"), "https://abc.databases.neo4j.io");
    EXPECT_EQ(http_url("neo4j://[::1]:7687"), "http://[::1]:7474");
    EXPECT_EQ(http_url("neo4j://u:p@db:7687"), "http://db:7474");
    EXPECT_FALSE(http_url("http://db"));
    EXPECT_FALSE(http_url("neo4jx://db"));
    EXPECT_FALSE(http_url("neo4j+t://db"));
    EXPECT_EQ(hint("neo4j", Level::server, "url", "neo4j://db:7687"), "The server is reached over HTTP: http://db:7474.");
}

TEST(Options, UrlsAreChecked)
{
    EXPECT_EQ(url_problem("http://db:7474"), "");
    EXPECT_EQ(url_problem("HTTPS://db"), "");
    EXPECT_EQ(url_problem("https://db/neo4j/"), "");
    EXPECT_EQ(url_problem("http://[::1]:7474"), "");
    EXPECT_EQ(url_problem("db:7474"), "The URL must begin with http:// or https://.");
    EXPECT_EQ(url_problem("file:///etc/passwd"), "The URL must begin with http:// or https://.");
    EXPECT_EQ(url_problem("http://"), "The URL names no host.");
    EXPECT_EQ(url_problem("http://db:0"), "The port must be between 1 and 65535.");
    EXPECT_EQ(url_problem("http://db:"), "The port must be between 1 and 65535.");
    EXPECT_EQ(url_problem("http://db:7x"), "The port must be between 1 and 65535.");
    EXPECT_EQ(url_problem("http://db?x=1"), "The URL must not have a query or a fragment.");
    EXPECT_EQ(url_problem("http://d b"), "A URL has no blanks or control characters.");
    EXPECT_EQ(url_problem("http://db\r\nX: y"), "A URL has no blanks or control characters.");
}

TEST(Options, Arguments)
{
    EXPECT_EQ(split_argument("label=Customer"), (std::pair<std::string, std::string>{"label", "Customer"}));
    EXPECT_EQ(split_argument("filter=a = 'b'"), (std::pair<std::string, std::string>{"filter", "a = 'b'"}));
    EXPECT_EQ(split_argument(" label =x"), (std::pair<std::string, std::string>{"label", "x"}));
    EXPECT_THROW((void) split_argument("label"), std::invalid_argument);
    EXPECT_THROW((void) split_argument("=x"), std::invalid_argument);
}

TEST(Options, Json)
{
    const auto options = options_from_json(R"({"label": "A", "enabled": false, "batch_size": 7, "columns": ["a", "b"], "relationships": {"x": {"type": "T"}}})");
    EXPECT_EQ(options.at("label"), "A");
    EXPECT_EQ(options.at("enabled"), "off");
    EXPECT_EQ(options.at("batch_size"), "7");
    EXPECT_EQ(options.at("columns"), R"(["a","b"])");
    EXPECT_EQ(options.at("relationships"), R"({"x":{"type":"T"}})");
    EXPECT_EQ(options_from_json(options_to_json(options)), options);
    EXPECT_EQ(options_to_json({{"filter", "{}"}, {"columns", "a,b"}}), R"({"columns":"a,b","filter":"{}"})");
    const Options described{{"relationship", R"({"type":"SAW"})"}};
    EXPECT_EQ(options_to_json(described), R"({"relationship":{"type":"SAW"}})");
    EXPECT_EQ(options_from_json(options_to_json(described)), described);
    for (const char *const structured : {R"({"label": ["A"]})", R"({"filter": {"id": 1}})", R"({"url": ["http://db"]})", R"({"password": {}})"})
        EXPECT_THROW((void) options_from_json(structured), std::invalid_argument) << structured;
    EXPECT_THROW((void) options_from_json("[]"), std::invalid_argument);
    EXPECT_THROW((void) options_from_json("{"), std::invalid_argument);
    EXPECT_THROW((void) options_from_json(R"({"a": null})"), std::invalid_argument);
    EXPECT_THROW((void) options_from_json(std::string(100'000, '[')), std::invalid_argument);
}

TEST(Options, Durations)
{
    EXPECT_EQ(parse_duration("500ms"), milliseconds{500});
    EXPECT_EQ(parse_duration("10"), milliseconds{10'000});
    EXPECT_EQ(parse_duration("1.5s"), milliseconds{1'500});
    EXPECT_EQ(parse_duration(" 5 min "), milliseconds{300'000});
    EXPECT_EQ(parse_duration("1h"), milliseconds{3'600'000});
    EXPECT_EQ(parse_duration("7d"), milliseconds{604'800'000});
    for (const auto *const wrong : {"", "s", "-1s", "1 week", "1e5", "inf", "nan", "99999999999999d"})
        EXPECT_THROW((void) parse_duration(wrong), std::invalid_argument) << wrong;
}

TEST(Options, Columns)
{
    using Names = std::vector<std::string>;
    EXPECT_EQ(parse_columns("a, b"), (Names{"a", "b"}));
    EXPECT_EQ(parse_columns(R"(["a, b", "c"])"), (Names{"a, b", "c"}));
    for (const auto *const wrong : {"", "a,,b", "a,a", "[]", "[1]", "[\"a\"", "a,"})
        EXPECT_THROW((void) parse_columns(wrong), std::invalid_argument) << wrong;
}

} // namespace
