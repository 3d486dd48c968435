#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

// Values of JSON as somebody wrote them, for what is handed on and not understood: numbers of any
// size, the order of keys. The text must be JSON already (parse_json); views into it.

// The fields of an object in order: unescaped key, text of the value.
std::vector<std::pair<std::string, std::string_view>> raw_fields(std::string_view object);

// The items of an array.
std::vector<std::string_view> raw_items(std::string_view array);

// The text of one field's value; empty where the object has none.
std::string_view raw_field(std::string_view object, std::string_view key);

// A text with stretches of it replaced: each a view into it, in their order, and what comes there.
std::string raw_with(std::string_view text,
                     const std::vector<std::pair<std::string_view, std::string>>& replaced);

// An object again, without the fields of these names.
std::string raw_object_without(std::string_view object, const std::vector<std::string>& names);

}  // namespace quire
