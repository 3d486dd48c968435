#include "kernels/linear.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <utility>

#include "kernels/elementwise.h"

namespace quire::kernels {
namespace {

// Below this many multiply-adds waking threads costs more than it gains.
constexpr std::int64_t kMinParallelWork = 100'000;

// Rows of one work item: enough to use the weights well, few enough to share out.
constexpr std::int64_t kItemRows = 128;

// Few rows go through several column tiles at a time. More keep a thread busy with fewer, and work
// cut finer lets the threads end together.
constexpr std::int64_t kFewRows = 4;
constexpr std::int64_t kManyRowsColumns = 2;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// One matrix at work: the call its inner loops get, and how it is cut.
struct TargetWork {
  LinearCall call;
  std::int64_t tiles = 0;       // column tiles to share out; a gated pair counts once
  std::int64_t groups = 0;      // of `columns` tiles
  std::int64_t first_item = 0;  // of all targets' items in one row
  ActivationCall gate;          // x is null unless gated
  const float* residual = nullptr;
};

// A group of matrices over the same rows.
class Group {
 public:
  Group(const KernelContext& context, const LinearRows& rows, std::span<const LinearTarget> targets)
      : context_(context), table_(kernel_table(context.isa)), rows_(rows), targets_(targets) {}

  Status run();

 private:
  Status check();
  void lay_out();
  void cut(const LinearTarget& target, TargetWork* work);
  static void gate(const LinearTarget& target, float* wide, TargetWork* work);
  void prepare_rows();
  void prepare_panel(std::int64_t panel);
  void compute(std::int64_t item) const;
  void finish(const TargetWork& work,
              std::pair<std::int64_t, std::int64_t> tiles,
              std::pair<std::int64_t, std::int64_t> row_range) const;

  const KernelContext& context_;
  const KernelTable& table_;
  const LinearRows& rows_;
  std::span<const LinearTarget> targets_;
  std::array<TargetWork, kMaxLinearTargets> works_;
  LinearCall quantizing_;                    // of the first quantized target: all share its panels
  RmsNormCall norm_;                         // x is null without a norm
  const LinearTarget* quantized_ = nullptr;  // the first of them
  SerialExecutor serial_;
  Executor* executor_ = nullptr;
  std::int64_t num_rows_ = 0;
  std::int64_t panels_ = 0;
  std::int64_t row_items_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t num_items_ = 0;
};

Status Group::check() {
  if (targets_.empty() || targets_.size() > kMaxLinearTargets) {
    return invalid_argument("linear: one to four matrices go together");
  }
  const std::int64_t k = targets_[0].weights->k();
  num_rows_ = static_cast<std::int64_t>(rows_.x.size()) / k;
  if (num_rows_ * k != static_cast<std::int64_t>(rows_.x.size()) ||
      (!rows_.norm.empty() && rows_.norm.size() != to_size(k))) {
    return invalid_argument("linear: x must be [rows, K] and y [rows, N]");
  }
  for (const LinearTarget& target : targets_) {
    const std::int64_t n = target.weights->n() / (target.gate != nullptr ? 2 : 1);
    if (target.weights->k() != k || num_rows_ > std::numeric_limits<std::int64_t>::max() / n ||
        num_rows_ * n != static_cast<std::int64_t>(target.y.size()) ||
        (!target.residual.empty() && target.residual.size() != target.y.size())) {
      return invalid_argument("linear: x must be [rows, K] and y [rows, N]");
    }
    if (target.gate != nullptr && (!can_gate(*target.weights) || !target.residual.empty())) {
      return invalid_argument("linear: these outputs cannot be gated");
    }
    if (!target.weights->is_quantized()) continue;
    if (quantized_ == nullptr) quantized_ = &target;
    // A panel of quantized rows holds what the kind of weights needs of them.
    if (quantized_->activation_bits != target.activation_bits ||
        quantized_->weights->kind() != target.weights->kind()) {
      return invalid_argument("linear: rows are quantized in one way for all");
    }
  }
  return ok_status();
}

// One matrix's call, and its items behind those of the matrices before it.
void Group::cut(const LinearTarget& target, TargetWork* work) {
  work->call.kind = target.weights->kind();
  work->call.activation_bits = target.activation_bits;
  work->call.k = target.weights->k();
  work->call.n = target.weights->n();
  work->call.weights = target.weights->tiles();
  work->call.tile_bytes = target.weights->tile_bytes();
  work->call.in_sequence = reads_fastest_in_sequence();
  work->call.bias = target.weights->bias();
  work->call.x = rows_.x.data();
  work->call.rows = num_rows_;
  work->call.y = target.y.data();
  work->tiles = target.weights->num_tiles() / (target.gate != nullptr ? 2 : 1);
  work->groups = divide_up(work->tiles, columns_);
  work->first_item = num_items_;
  work->residual = target.residual.empty() ? nullptr : target.residual.data();
  num_items_ += work->groups * row_items_;
}

// Lets the outputs go to `wide` and the gated halves of them to where they are wanted.
void Group::gate(const LinearTarget& target, float* wide, TargetWork* work) {
  const std::int64_t half = work->call.n / 2;
  work->call.y = wide;
  work->gate = {.kind = *target.gate,
                .gated = true,
                .x = wide,
                .y = target.y.data(),
                .width = 0,
                .x_stride = work->call.n,
                .up_offset = half,
                .y_stride = half};
}

// Decides who computes what, and where intermediate results lie.
void Group::lay_out() {
  const std::int64_t k = targets_[0].weights->k();
  panels_ = divide_up(num_rows_, table_.panel_rows);
  row_items_ = divide_up(panels_, kItemRows / table_.panel_rows);
  columns_ = num_rows_ > kFewRows ? kManyRowsColumns : table_.tile_columns;
  std::int64_t all_columns = 0;
  std::size_t bytes = 0;
  const auto place = [&bytes](std::size_t size) {
    return std::exchange(bytes, bytes + aligned_bytes(size));
  };
  std::array<std::size_t, kMaxLinearTargets> wide_at = {};
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    cut(targets_[i], &works_[i]);
    all_columns += works_[i].call.n;
    if (targets_[i].gate == nullptr) continue;
    wide_at[i] = place(to_size(num_rows_ * works_[i].call.n) * sizeof(float));
  }
  const std::size_t normed_at = rows_.norm.empty() ? 0 : place(rows_.x.size_bytes());
  std::size_t panels_at = 0;
  if (quantized_ != nullptr) {
    const auto bits = static_cast<std::size_t>(quantized_->activation_bits);
    panels_at = place(to_size(panels_ * divide_up(k, kQuantBlock) * table_.panel_bytes[bits]));
  }
  std::byte* memory = context_.workspace.reserve(bytes);
  if (!rows_.norm.empty()) {
    norm_ = {.x = rows_.x.data(),
             .weight = rows_.norm.data(),
             .y = reinterpret_cast<float*>(memory + normed_at),
             .k = k,
             .epsilon = rows_.epsilon};
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    TargetWork& work = works_[i];
    if (norm_.x != nullptr) work.call.x = norm_.y;
    if (targets_[i].weights->is_quantized()) {
      work.call.panels = reinterpret_cast<std::uint8_t*>(memory + panels_at);
      quantizing_ = work.call;
    }
    if (targets_[i].gate == nullptr) continue;
    gate(targets_[i], reinterpret_cast<float*>(memory + wide_at[i]), &work);
  }
  const bool small = num_rows_ * all_columns < kMinParallelWork / k;
  executor_ = small ? &serial_ : &context_.executor;
}

void Group::prepare_panel(std::int64_t panel) {
  if (norm_.x != nullptr) {
    const std::int64_t begin = panel * table_.panel_rows;
    table_.rms_norm(norm_, begin, std::min(begin + table_.panel_rows, num_rows_));
  }
  if (quantized_ != nullptr) table_.quantize_panel(quantizing_, panel);
}

void Group::prepare_rows() {
  if (norm_.x == nullptr && quantized_ == nullptr) return;
  Executor& executor = panels_ == 1 ? static_cast<Executor&>(serial_) : *executor_;
  for_each_item(executor, panels_, [&](std::int64_t panel, int) { prepare_panel(panel); });
}

// What is left to do with outputs that were just computed, while they are in the cache.
void Group::finish(const TargetWork& work,
                   std::pair<std::int64_t, std::int64_t> tiles,
                   std::pair<std::int64_t, std::int64_t> row_range) const {
  const std::int64_t begin = tiles.first * kColumnTile;
  if (work.gate.x != nullptr) {
    ActivationCall gate = work.gate;
    gate.x += begin;
    gate.y += begin;
    gate.width = (tiles.second - tiles.first) * kColumnTile;
    table_.activate(gate, row_range.first, row_range.second);
  }
  if (work.residual == nullptr) return;
  const std::int64_t end = std::min(tiles.second * kColumnTile, work.call.n);
  for (std::int64_t row = row_range.first; row < row_range.second; ++row) {
    float* y = work.call.y + row * work.call.n;
    const float* residual = work.residual + row * work.call.n;
    for (std::int64_t i = begin; i < end; ++i) y[i] = residual[i] + y[i];
  }
}

void Group::compute(std::int64_t item) const {
  std::size_t index = targets_.size() - 1;
  while (works_[index].first_item > item) --index;
  const TargetWork& work = works_[index];
  const std::int64_t local = item - work.first_item;
  const std::int64_t item_panels = kItemRows / table_.panel_rows;
  const std::int64_t tile = local / row_items_ * columns_;
  const std::int64_t tile_end = std::min(tile + columns_, work.tiles);
  const std::int64_t panel = local % row_items_ * item_panels;
  const std::int64_t panel_end = std::min(panel + item_panels, panels_);
  table_.linear(work.call, tile, tile_end, panel, panel_end);
  if (work.gate.x != nullptr) {
    table_.linear(work.call, work.tiles + tile, work.tiles + tile_end, panel, panel_end);
  }
  finish(work,
         {tile, tile_end},
         {panel * table_.panel_rows, std::min(panel_end * table_.panel_rows, num_rows_)});
}

Status Group::run() {
  QUIRE_TRY(check());
  if (num_rows_ == 0) return ok_status();
  lay_out();
  prepare_rows();
  for_each_item(*executor_, num_items_, [this](std::int64_t item, int) { compute(item); });
  return ok_status();
}

}  // namespace

Status linear_group(const KernelContext& context,
                    const LinearRows& rows,
                    std::span<const LinearTarget> targets) {
  return Group(context, rows, targets).run();
}

Status linear(const KernelContext& context,
              const PackedLinear& weights,
              ActivationBits activation_bits,
              std::span<const float> x,
              std::span<float> y) {
  const LinearTarget target = {.weights = &weights, .activation_bits = activation_bits, .y = y};
  return linear_group(context, {.x = x}, {&target, 1});
}

}  // namespace quire::kernels
