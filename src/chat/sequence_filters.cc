#include "chat/sequence_filters.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::chat {
namespace {

using Kind = Value::Kind;

// "a.b.0": members of members, as the attribute= of many filters names them.
// Wherever one is missing the fallback stands in, if there is any.
Result<Value> attribute_path(Value value,
                             const Value& path,
                             Runtime* runtime,
                             const Value* fallback = nullptr) {
  if (path.is_integer()) return item_of(value, path, runtime);
  if (!path.is(Kind::kText)) return misused(path, "is not the name of an attribute");
  QUIRE_TRY(runtime->budget.spend(path.as_text().size() / 4));
  for (const Text& part : split(path.as_text(), ".", -1)) {
    const bool is_index = !part.empty() && part.size() < 10 &&
                          part.bytes.find_first_not_of("0123456789") == std::string::npos;
    const Value key = is_index ? Value::integer(std::stoll(part.bytes)) : Value::text(part);
    QUIRE_ASSIGN(value, item_of(value, key, runtime));
    if (value.is(Kind::kUndefined) && fallback != nullptr) value = *fallback;
  }
  return value;
}

// Sorting and comparing filters ignore case unless told otherwise.
Result<Value> ignore_case(const Value& value, Budget* budget) {
  if (!value.is(Kind::kText)) return value;
  QUIRE_TRY(budget->make_text(4 * value.as_text().size()));
  return Value::text(change_case(value.as_text(), LetterCase::kLower));
}

// An item and what it is sorted or compared by.
struct Keyed {
  Value key;
  Value item;
};

// A merge sort: the comparison can fail, which std::sort cannot be told.
Status sort_keyed(std::vector<Keyed>* items, bool reverse, Budget* budget) {
  std::vector<Keyed> other(items->size());
  for (std::size_t width = 1; width < items->size(); width *= 2) {
    for (std::size_t begin = 0; begin < items->size(); begin += 2 * width) {
      std::size_t left = begin;
      const std::size_t middle = std::min(begin + width, items->size());
      const std::size_t end = std::min(begin + 2 * width, items->size());
      std::size_t right = middle;
      for (std::size_t at = begin; at < end; ++at) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          QUIRE_ASSIGN(const int order, compare((*items)[right].key, (*items)[left].key, budget));
          take_right = reverse ? order > 0 : order < 0;
        }
        other[at] = (*items)[take_right ? right++ : left++];
      }
    }
    items->swap(other);
  }
  return ok_status();
}

Result<Value> list_of_items(std::vector<Keyed> items) {
  std::vector<Value> out;
  out.reserve(items.size());
  for (Keyed& keyed : items) out.push_back(std::move(keyed.item));
  return make_list(std::move(out));
}

Result<std::vector<Keyed>> keyed_items(const Value& value,
                                       const Value* attribute,
                                       bool case_sensitive,
                                       Runtime* runtime) {
  QUIRE_ASSIGN(std::vector<Value> items, items_of(value, &runtime->budget));
  std::vector<Keyed> out;
  out.reserve(items.size());
  for (Value& item : items) {
    Value key = item;
    if (attribute != nullptr && !attribute->is(Kind::kNone)) {
      QUIRE_ASSIGN(key, attribute_path(item, *attribute, runtime));
    }
    if (!case_sensitive) {
      QUIRE_ASSIGN(key, ignore_case(key, &runtime->budget));
    }
    out.push_back({std::move(key), std::move(item)});
  }
  return out;
}

// "a,b": sorted by one attribute and then by the other.
Result<std::vector<Keyed>> several_keys(const Value& value,
                                        const Text& attributes,
                                        bool case_sensitive,
                                        Runtime* runtime) {
  QUIRE_ASSIGN(std::vector<Value> items, items_of(value, &runtime->budget));
  const std::vector<Text> names = split(attributes, ",", -1);
  std::vector<Keyed> out;
  for (Value& item : items) {
    std::vector<Value> keys;
    for (const Text& name : names) {
      QUIRE_ASSIGN(Value key, attribute_path(item, Value::text(name), runtime));
      if (!case_sensitive) {
        QUIRE_ASSIGN(key, ignore_case(key, &runtime->budget));
      }
      keys.push_back(std::move(key));
    }
    QUIRE_ASSIGN(Value key, make_list(std::move(keys)));
    out.push_back({std::move(key), std::move(item)});
  }
  return out;
}

// select, reject, selectattr and rejectattr: items (or one of their attributes) that pass a test.
Result<Value> select_items(const Value& value,
                           const CallArguments& arguments,
                           bool by_attribute,
                           bool wanted,
                           Runtime* runtime) {
  const std::size_t test_at = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty()) {
    return invalid_argument("selectattr and rejectattr need the name of an attribute");
  }
  CallArguments rest;
  rest.keywords = arguments.keywords;
  for (std::size_t i = test_at + 1; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  QUIRE_ASSIGN(const Text test, text_argument(arguments, test_at, "", Text()));
  if (!value.truth()) return make_list({});  // none counts as empty here, as in Jinja
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  std::vector<Value> out;
  for (const Value& item : items) {
    QUIRE_TRY(runtime->budget.spend());
    Value subject = item;
    if (by_attribute) {
      QUIRE_ASSIGN(subject, attribute_path(item, arguments.positional[0], runtime));
    }
    bool passes = subject.truth();
    if (!test.empty()) {
      QUIRE_ASSIGN(passes, apply_test(test.bytes, subject, rest, runtime));
    }
    if (passes == wanted) out.push_back(item);
  }
  return make_list(std::move(out));
}

Result<Value> extreme(const Value& value,
                      const CallArguments& arguments,
                      int wanted,
                      Runtime* runtime) {
  QUIRE_TRY(arguments.check("min and max", 0, {"case_sensitive", "attribute"}));
  const bool case_sensitive = flag_argument(arguments, 0, "case_sensitive", false);
  const Value* attribute = arguments.find(1, "attribute");
  QUIRE_ASSIGN(const auto items, keyed_items(value, attribute, case_sensitive, runtime));
  if (items.empty()) return Value::undefined("the extreme of an empty list");
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    QUIRE_ASSIGN(const int order, compare(items[i].key, items[best].key, &runtime->budget));
    if (order == wanted) best = i;
  }
  return items[best].item;
}

}  // namespace

Result<Value> select_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return select_items(value, arguments, false, true, runtime);
}

Result<Value> reject_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return select_items(value, arguments, false, false, runtime);
}

Result<Value> selectattr_filter(const Value& value,
                                const CallArguments& arguments,
                                Runtime* runtime) {
  return select_items(value, arguments, true, true, runtime);
}

Result<Value> rejectattr_filter(const Value& value,
                                const CallArguments& arguments,
                                Runtime* runtime) {
  return select_items(value, arguments, true, false, runtime);
}

// map(attribute="a.b", default=x), or map("filter", arguments of the filter...).
Result<Value> map_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  if (!value.truth()) return make_list({});
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    QUIRE_TRY(arguments.check("map", 0, {"attribute", "default"}));
    const Value* attribute = arguments.find(0, "attribute");
    const Value* fallback = arguments.find(1, "default");
    if (attribute == nullptr) return invalid_argument("map needs a filter or an attribute");
    for (const Value& item : items) {
      QUIRE_ASSIGN(Value member, attribute_path(item, *attribute, runtime, fallback));
      out.push_back(std::move(member));
    }
    return make_list(std::move(out));
  }
  QUIRE_ASSIGN(const Text filter, text_argument(arguments, 0, "", Text()));
  CallArguments rest;
  rest.keywords = arguments.keywords;
  rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
  for (const Value& item : items) {
    QUIRE_ASSIGN(Value mapped, apply_filter(filter.bytes, item, rest, runtime));
    out.push_back(std::move(mapped));
  }
  return make_list(std::move(out));
}

Result<Value> list_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("list", 0, {}));
  QUIRE_ASSIGN(std::vector<Value> items, items_of(value, &runtime->budget));
  return make_list(std::move(items));
}

Result<Value> first_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("first", 0, {}));
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  return items.empty() ? Value::undefined("the first of no items") : items.front();
}

Result<Value> last_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("last", 0, {}));
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  return items.empty() ? Value::undefined("the last of no items") : items.back();
}

Result<Value> join_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("join", 0, {"d", "attribute"}));
  const Value* separator = arguments.find(0, "d");
  Text between;
  if (separator != nullptr) {
    QUIRE_ASSIGN(between, to_text(*separator, &runtime->budget));
  }
  const Value* attribute = arguments.find(1, "attribute");
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  Text out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Value item = items[i];
    if (attribute != nullptr && !attribute->is(Kind::kNone)) {
      QUIRE_ASSIGN(item, attribute_path(item, *attribute, runtime));
    }
    QUIRE_ASSIGN(const Text piece, to_text(item, &runtime->budget));
    QUIRE_TRY(runtime->budget.check_text(out.size() + between.size() + piece.size()));
    if (i > 0) out.append(between);
    out.append(piece);
  }
  QUIRE_TRY(runtime->budget.spend_text(out.size()));
  return Value::text(std::move(out));
}

Result<Value> reverse_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("reverse", 0, {}));
  QUIRE_ASSIGN(std::vector<Value> items, items_of(value, &runtime->budget));
  std::reverse(items.begin(), items.end());
  if (!value.is(Kind::kText)) return make_list(std::move(items));
  Text out;
  for (const Value& item : items) out.append(item.as_text());
  return Value::text(std::move(out));
}

Result<Value> sort_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("sort", 0, {"reverse", "case_sensitive", "attribute"}));
  const bool reverse = flag_argument(arguments, 0, "reverse", false);
  const bool case_sensitive = flag_argument(arguments, 1, "case_sensitive", false);
  const Value* attribute = arguments.find(2, "attribute");
  const bool is_several = attribute != nullptr && attribute->is(Kind::kText) &&
                          attribute->as_text().bytes.find(',') != std::string::npos;
  QUIRE_ASSIGN(auto items,
               is_several ? several_keys(value, attribute->as_text(), case_sensitive, runtime)
                          : keyed_items(value, attribute, case_sensitive, runtime));
  QUIRE_TRY(sort_keyed(&items, reverse, &runtime->budget));
  return list_of_items(std::move(items));
}

Result<Value> dictsort_filter(const Value& value,
                              const CallArguments& arguments,
                              Runtime* runtime) {
  QUIRE_TRY(arguments.check("dictsort", 0, {"case_sensitive", "by", "reverse"}));
  if (!value.is(Kind::kDict)) return misused(value, "is no dictionary to sort");
  const bool case_sensitive = flag_argument(arguments, 0, "case_sensitive", false);
  QUIRE_ASSIGN(const Text by, text_argument(arguments, 1, "by", Text("key", true)));
  if (by.bytes != "key" && by.bytes != "value") {
    return invalid_argument("dictsort sorts by 'key' or by 'value'");
  }
  std::vector<Keyed> items;
  for (const auto& [key, item] : value.as_dict().items) {
    const Value& subject = by.bytes == "key" ? key : item;
    QUIRE_ASSIGN(Value pair, make_list({key, item}, true));
    Value by_what = subject;
    if (!case_sensitive) {
      QUIRE_ASSIGN(by_what, ignore_case(subject, &runtime->budget));
    }
    items.push_back({std::move(by_what), std::move(pair)});
  }
  QUIRE_TRY(runtime->budget.spend(items.size()));
  const bool reverse = flag_argument(arguments, 2, "reverse", false);
  QUIRE_TRY(sort_keyed(&items, reverse, &runtime->budget));
  return list_of_items(std::move(items));
}

// Quadratic in the number of distinct items, which the budget of steps bounds.
Result<Value> unique_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("unique", 0, {"case_sensitive", "attribute"}));
  const bool case_sensitive = flag_argument(arguments, 0, "case_sensitive", false);
  const Value* attribute = arguments.find(1, "attribute");
  QUIRE_ASSIGN(auto items, keyed_items(value, attribute, case_sensitive, runtime));
  std::vector<Keyed> out;
  for (Keyed& item : items) {
    bool is_new = true;
    for (const Keyed& known : out) {
      QUIRE_ASSIGN(const bool same, equal(known.key, item.key, &runtime->budget));
      if (same) is_new = false;
    }
    if (is_new) out.push_back(std::move(item));
  }
  return list_of_items(std::move(out));
}

Result<Value> sum_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("sum", 0, {"attribute", "start"}));
  const Value* attribute = arguments.find(0, "attribute");
  const Value* start = arguments.find(1, "start");
  Value total = start == nullptr ? Value::integer(0, true) : *start;
  QUIRE_ASSIGN(const auto items, keyed_items(value, attribute, true, runtime));
  for (const Keyed& item : items) {
    QUIRE_ASSIGN(total, arithmetic("+", total, item.key, &runtime->budget));
  }
  return total;
}

Result<Value> min_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return extreme(value, arguments, -1, runtime);
}

Result<Value> max_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return extreme(value, arguments, 1, runtime);
}

Result<Value> batch_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("batch", 1, {"linecount", "fill_with"}));
  QUIRE_ASSIGN(const std::int64_t size, integer_argument(arguments, 0, "linecount", 0));
  if (size < 1 || size > 100000) return invalid_argument("batch: the size must be 1 to 100000");
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  const Value* fill = arguments.find(1, "fill_with");
  const auto step = static_cast<std::size_t>(size);
  std::vector<Value> out;
  for (std::size_t at = 0; at < items.size(); at += step) {
    const std::size_t end = std::min(items.size(), at + step);
    const auto first = items.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<Value> line(first, items.begin() + static_cast<std::ptrdiff_t>(end));
    if (fill != nullptr && !fill->is(Kind::kNone)) {
      QUIRE_TRY(runtime->budget.spend(step - line.size()));
      line.resize(step, *fill);
    }
    QUIRE_ASSIGN(Value batch, make_list(std::move(line)));
    out.push_back(std::move(batch));
  }
  return make_list(std::move(out));
}

// Columns of about the same length, the first of them longer by one where there are items left.
Result<Value> slice_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("slice", 1, {"slices", "fill_with"}));
  QUIRE_ASSIGN(const std::int64_t slices, integer_argument(arguments, 0, "slices", 0));
  if (slices < 1 || slices > 100000)
    return invalid_argument("slice: the number must be 1 to 100000");
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, &runtime->budget));
  const auto count = static_cast<std::size_t>(slices);
  QUIRE_TRY(runtime->budget.spend(2 * count));
  const Value* fill = arguments.find(1, "fill_with");
  const std::size_t longer = items.size() % count;
  std::vector<Value> out;
  auto at = items.begin();
  for (std::size_t i = 0; i < count; ++i) {
    const auto end = at + static_cast<std::ptrdiff_t>(items.size() / count + (i < longer ? 1 : 0));
    std::vector<Value> column(at, end);
    at = end;
    if (fill != nullptr && !fill->is(Kind::kNone) && i >= longer) column.push_back(*fill);
    QUIRE_ASSIGN(Value list, make_list(std::move(column)));
    out.push_back(std::move(list));
  }
  return make_list(std::move(out));
}

// (value of an attribute, items that have it) for each, in order.
Result<Value> groupby_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("groupby", 1, {"attribute", "default", "case_sensitive"}));
  Budget* budget = &runtime->budget;
  const Value& attribute = *arguments.find(0, "attribute");
  const Value* fallback = arguments.find(1, "default");
  const bool case_sensitive = flag_argument(arguments, 2, "case_sensitive", false);
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(value, budget));
  std::vector<Keyed> keyed;
  for (const Value& item : items) {
    QUIRE_ASSIGN(Value key, attribute_path(item, attribute, runtime, fallback));
    QUIRE_ASSIGN(Value shown, make_list({key, item}, true));
    if (!case_sensitive) {
      QUIRE_ASSIGN(key, ignore_case(key, budget));
    }
    keyed.push_back({std::move(key), std::move(shown)});
  }
  QUIRE_TRY(sort_keyed(&keyed, false, budget));
  std::vector<Value> out;
  for (std::size_t at = 0; at < keyed.size();) {
    std::vector<Value> members;
    std::size_t end = at;
    for (bool same = true; end < keyed.size(); ++end) {
      QUIRE_ASSIGN(same, equal(keyed[at].key, keyed[end].key, budget));
      if (!same) break;
      members.push_back(keyed[end].item.as_list().items[1]);
    }
    QUIRE_ASSIGN(Value list, make_list(std::move(members)));
    List group;
    group.items = {keyed[at].item.as_list().items[0], std::move(list)};
    QUIRE_ASSIGN(const Value pair, make_list(group.items, true));
    group = pair.as_list();
    group.is_group = true;
    out.push_back(Value::list(std::make_shared<const List>(std::move(group))));
    at = end;
  }
  return make_list(std::move(out));
}

}  // namespace quire::chat
