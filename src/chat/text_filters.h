#pragma once

#include "chat/runtime.h"
#include "chat/value.h"
#include "quire/result.h"

namespace quire::chat {

// The filters of one text, named as templates name them.
Result<Value> attr_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> capitalize_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> center_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> escape_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> filesizeformat_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> format_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> indent_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> lower_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> pprint_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> striptags_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> title_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> trim_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> truncate_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> upper_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> urlencode_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> wordcount_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> xmlattr_filter(const Value&, const CallArguments&, Runtime*);

}  // namespace quire::chat
