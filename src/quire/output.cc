#include "quire/output.h"

#include <string_view>

namespace quire {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kError:
      return "error";
  }
  return "";
}

std::string_view part_kind_name(PartKind kind) {
  switch (kind) {
    case PartKind::kText:
      return "text";
    case PartKind::kToolCall:
      return "tool_call";
    case PartKind::kToolResult:
      return "tool_result";
  }
  return "";
}

}  // namespace quire
