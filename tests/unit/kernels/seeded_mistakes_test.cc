#include "unit/kernels/seeded_mistakes.h"

#include <gtest/gtest.h>

#include "unit/kernels/canonical_bits.h"
#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {

std::vector<SeededMistake> seeded_mistakes(Isa isa) {
#if defined(__aarch64__)
  if (isa == Isa::kNeon) return mistakes_in_neon();
  if (isa == Isa::kNeonDotProd) return mistakes_in_dotprod();
  if (isa == Isa::kNeonI8mm) return mistakes_in_i8mm();
#endif
  return isa == Isa::kPortable ? mistakes_in_portable() : std::vector<SeededMistake>();
}

namespace {

// That the comparison of bits sees what it is there for: without a mistake it is content
// (CanonicalBitsTest), with any of these it is not.
TEST(SeededMistakesTest, AKernelWithAMistakeDoesNotHaveTheBits) {
  for (const Isa isa : supported_isas()) {
    const KernelTable& right = kernel_table(isa);
    const std::uint64_t linear = linear_bits(right);
    const std::uint64_t elementwise = elementwise_bits(right);
    for (const SeededMistake& mistake : seeded_mistakes(isa)) {
      const bool caught =
          linear_bits(mistake.table) != linear || elementwise_bits(mistake.table) != elementwise;
      EXPECT_TRUE(caught) << isa_name(isa) << ": " << mistake.name;
    }
  }
}

}  // namespace
}  // namespace quire::kernels
