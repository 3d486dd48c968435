#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "openai/prompt_start.h"

namespace quire::openai {

// A response that can be asked for again and gone on from.
struct StoredResponse {
  std::string owner;                     // who made it, and may see it
  std::string json;                      // as it was answered
  std::vector<std::string> input_items;  // JSON each, in their order
  std::string messages;  // the conversation so far without instructions, a JSON array of a chat's
  PromptStart start;     // of the prompt of whoever goes on from it

  std::size_t bytes() const;
};

// The latest responses, in memory: past either limit the oldest is forgotten. Any thread.
class ResponseStore {
 public:
  ResponseStore(std::size_t max_count, std::size_t max_bytes)
      : max_count_(max_count), max_bytes_(max_bytes) {}

  // One that alone is over the limit is not kept.
  void put(const std::string& id, std::shared_ptr<const StoredResponse> response);
  // Null for one that is not there, or is another's: nobody learns which.
  std::shared_ptr<const StoredResponse> find(const std::string& id, const std::string& owner) const;
  bool erase(const std::string& id, const std::string& owner);

 private:
  using Entries = std::list<std::pair<std::string, std::shared_ptr<const StoredResponse>>>;
  void forget(Entries::iterator entry);

  std::size_t max_count_;
  std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  Entries entries_;  // the oldest first
  std::unordered_map<std::string, Entries::iterator> by_id_;
};

// Who asks for something: what is kept for it, and by which name.
struct Caller {
  ResponseStore* responses = nullptr;  // null: nothing is kept
  std::string owner = {};
};

}  // namespace quire::openai
