#pragma once

#include "package/model_package.h"
#include "quire/result.h"

namespace quire {

// What this machine can do at most, measured with the instructions the kernels use and all threads.
struct Roofline {
  double int8_gmac_s = 0;   // 8-bit multiply-adds, in registers
  double fp32_gflop_s = 0;  // 32-bit multiplies and adds, in registers
  double read_gb_s = 0;     // reading a 512 MiB buffer, more than caches hold
};
Result<Roofline> measure_roofline(int num_threads);

// What one token costs a model: multiply-adds, and bytes of weights that are read for it.
struct ModelCost {
  double macs_per_token = 0;
  double bytes_per_token = 0;
  bool quantized = false;
};
ModelCost model_cost(const ModelPackage& package);

}  // namespace quire
