// What a person looks at: the page.
#include <string>

#include "server/service.h"
#include "server/web_page.h"

namespace quire::server {

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

}  // namespace quire::server
