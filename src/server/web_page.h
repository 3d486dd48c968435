#pragma once

#include <string_view>

namespace quire::server {

// The web chat and the engine view, one HTML file that fetches nothing from elsewhere; and the
// Content-Security-Policy it must be served with, which names its script and its style by hash.
// Built from web/page (docs/adr/0020-web-page.md).
std::string_view web_page();
std::string_view web_page_policy();

}  // namespace quire::server
