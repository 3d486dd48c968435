// What a person looks at: the page, and what the engines are doing.
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "server/engine_view.h"
#include "server/service.h"
#include "server/web_page.h"

namespace quire::server {
namespace {

using nlohmann::ordered_json;

// The step to begin behind, of a query that is empty or since=NUMBER.
std::optional<std::int64_t> read_since(std::string_view query) {
  constexpr std::string_view kName = "since=";
  if (query.empty()) return 0;
  if (!query.starts_with(kName)) return std::nullopt;
  std::int64_t since = -1;
  const char* const end = query.data() + query.size();
  const auto [stop, error] = std::from_chars(query.data() + kName.size(), end, since);
  if (error != std::errc() || stop != end || since < 0) return std::nullopt;
  return since;
}

// The views of all models, which come one after another.
struct Gathered {
  ordered_json answer;
  std::size_t missing = 0;
};

}  // namespace

void Service::page(const HttpRequest&, const LoggedPtr& exchange) {
  exchange->respond({.body = std::string(web_page()),
                     .headers = {{"Content-Security-Policy", std::string(web_page_policy())},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"X-Frame-Options", "DENY"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cross-Origin-Opener-Policy", "same-origin"},
                                 // A newer program has another page under the same name.
                                 {"Cache-Control", "no-cache"}},
                     .content_type = "text/html; charset=utf-8"});
}

void Service::debug_engine(const HttpRequest& request, const LoggedPtr& exchange) {
  const auto since = read_since(request.query);
  if (!since) {
    refuse({.message = "the query of /debug/engine is since=STEP, a whole number, or none",
            .param = "since"},
           nullptr,
           exchange);
    return;
  }
  constexpr std::array kStates = {"loading", "ready", "stopping"};
  auto gathered = std::make_shared<Gathered>();
  gathered->answer = {{"state", kStates.at(static_cast<std::size_t>(state_))},
                      {"models", ordered_json::array()}};
  if (state_ == State::kLoading) {
    exchange->respond({.body = gathered->answer.dump()});
    return;
  }
  gathered->missing = models_->size();
  for (std::size_t i = 0; i < models_->size(); ++i) {
    gathered->answer["models"].push_back(nullptr);
    EngineWorker& model = *(*models_)[i];
    model.snapshot(*since, [gathered, exchange, i, &model](const EngineSnapshot& snapshot) {
      gathered->answer["models"][i] = engine_view(model.name(), snapshot);
      if (--gathered->missing == 0) exchange->respond({.body = gathered->answer.dump()});
    });
  }
}

}  // namespace quire::server
