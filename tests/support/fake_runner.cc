#include "support/fake_runner.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quire {
namespace {

constexpr std::uint64_t kHashStart = 0x9E3779B97F4A7C15U;

// One round of SplitMix64's output function over (hash, token).
std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  std::uint64_t z = hash ^ (value + kHashStart + (hash << 6U) + (hash >> 2U));
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

void write_logits(std::uint64_t hash, std::span<float> logits) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(mix(hash, i) >> 40U) * 0x1.0p-21F;  // 0 to 8
  }
}

}  // namespace

FakeRunner::FakeRunner(const ModelSpec& spec)
    : spec_(spec),
      cache_(
          static_cast<std::size_t>(spec.num_kv_blocks) * static_cast<std::size_t>(spec.block_size),
          -1) {}

std::vector<float> FakeRunner::expected_logits(std::span<const TokenId> tokens, int vocab_size) {
  std::uint64_t hash = kHashStart;
  for (const TokenId token : tokens) hash = mix(hash, static_cast<std::uint64_t>(token));
  std::vector<float> logits(static_cast<std::size_t>(vocab_size));
  write_logits(hash, logits);
  return logits;
}

Status FakeRunner::run(const ModelInput& input, std::vector<float>* logits) {
  if (fault_) QUIRE_TRY(fault_(input));
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < input.past_sequence_lengths.size(); ++i) {
    QUIRE_TRY(run_sequence(input, i, &hashes));
  }
  const auto vocab = static_cast<std::size_t>(spec_.vocab_size);
  logits->resize(input.logits_indices.size() * vocab);
  for (std::size_t row = 0; row < input.logits_indices.size(); ++row) {
    const auto token = static_cast<std::size_t>(input.logits_indices[row]);
    write_logits(hashes.at(token), std::span(*logits).subspan(row * vocab, vocab));
  }
  return ok_status();
}

Status FakeRunner::run_sequence(const ModelInput& input,
                                std::size_t index,
                                std::vector<std::uint64_t>* hashes) {
  const auto table = input.block_table.subspan(index * static_cast<std::size_t>(input.max_blocks),
                                               static_cast<std::size_t>(input.max_blocks));
  const auto block_size = static_cast<std::size_t>(spec_.block_size);
  const auto past = static_cast<std::size_t>(input.past_sequence_lengths[index]);
  const auto begin = static_cast<std::size_t>(input.cumulative_sequence_lengths[index]);
  const auto end = static_cast<std::size_t>(input.cumulative_sequence_lengths[index + 1]);
  std::uint64_t hash = kHashStart;
  TokenId previous = kNoToken;
  for (std::size_t position = 0; position < past + end - begin; ++position) {
    const std::int32_t block =
        position / block_size < table.size() ? table[position / block_size] : -1;
    if (block < 0 || block >= spec_.num_kv_blocks) {
      return internal_error("the block table has no block for position " +
                            std::to_string(position));
    }
    TokenId& slot = cache_[static_cast<std::size_t>(block) * block_size + position % block_size];
    if (position >= past) {
      const std::size_t row = begin + position - past;
      if (input.previous_ids[row] != previous) {
        return internal_error("the wrong token stands before position " + std::to_string(position));
      }
      slot = input.token_ids[row];
    }
    previous = slot;
    hash = mix(hash, static_cast<std::uint64_t>(slot));
    if (position >= past) hashes->push_back(hash);
  }
  return ok_status();
}

}  // namespace quire
