#include "openai/response_store.h"

#include <memory>
#include <string>
#include <utility>

namespace quire::openai {

std::size_t StoredResponse::bytes() const {
  std::size_t total = sizeof(StoredResponse) + owner.size() + json.size() + messages.size() +
                      start.text.size() + start.ids.size() * sizeof(TokenId);
  for (const std::string& item : input_items) total += sizeof(std::string) + item.size();
  return total;
}

void ResponseStore::put(const std::string& id, std::shared_ptr<const StoredResponse> response) {
  const std::size_t size = response->bytes();
  if (size > max_bytes_ || max_count_ == 0) return;
  const std::lock_guard lock(mutex_);
  while (!entries_.empty() && (entries_.size() >= max_count_ || bytes_ + size > max_bytes_)) {
    forget(entries_.begin());
  }
  entries_.emplace_back(id, std::move(response));
  by_id_[id] = std::prev(entries_.end());
  bytes_ += size;
}

std::shared_ptr<const StoredResponse> ResponseStore::find(const std::string& id,
                                                          const std::string& owner) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second->second->owner != owner) return nullptr;
  return found->second->second;
}

bool ResponseStore::erase(const std::string& id, const std::string& owner) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second->second->owner != owner) return false;
  forget(found->second);
  return true;
}

void ResponseStore::forget(Entries::iterator entry) {
  bytes_ -= entry->second->bytes();
  by_id_.erase(entry->first);
  entries_.erase(entry);
}

}  // namespace quire::openai
