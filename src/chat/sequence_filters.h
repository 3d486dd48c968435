#pragma once

#include "chat/runtime.h"
#include "chat/value.h"
#include "quire/result.h"

namespace quire::chat {

using FilterFunction = Result<Value> (*)(const Value& value,
                                         const CallArguments& arguments,
                                         Runtime* runtime);

// The filters that go through the items of a value, named as templates name them. Results that are
// lazy in Python are lists here.
Result<Value> batch_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> dictsort_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> first_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> groupby_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> join_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> last_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> list_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> map_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> max_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> min_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> reject_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> rejectattr_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> reverse_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> select_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> selectattr_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> slice_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> sort_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> sum_filter(const Value&, const CallArguments&, Runtime*);
Result<Value> unique_filter(const Value&, const CallArguments&, Runtime*);

}  // namespace quire::chat
