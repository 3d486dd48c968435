#include "unit/kernels/canonical_bits.h"

#include <gtest/gtest.h>

#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

// Whether the path fuses multiply-adds: all that do have the same bits, and so have all that do
// not.
bool fuses(Isa isa) { return isa != Isa::kPortable && isa != Isa::kSimd128; }

// The numbers stand here so that machines that never meet compare their bits.
class CanonicalBitsTest : public testing::TestWithParam<Isa> {};

TEST_P(CanonicalBitsTest, LinearLayersHaveTheBitsOfEveryOtherMachine) {
  EXPECT_EQ(linear_bits(kernel_table(GetParam())),
            fuses(GetParam()) ? 1656858712480320182U : 3722873749924749955U);
}

TEST_P(CanonicalBitsTest, NormsAndActivationsHaveTheBitsOfEveryOtherMachine) {
  EXPECT_EQ(elementwise_bits(kernel_table(GetParam())),
            fuses(GetParam()) ? 10734933951516843425U : 16498888367606757734U);
}

TEST_P(CanonicalBitsTest, AttentionHasTheBitsOfEveryOtherMachine) {
  EXPECT_EQ(attention_bits(GetParam()),
            fuses(GetParam()) ? 15242235806561059547U : 6532316666258406162U);
}

INSTANTIATE_TEST_SUITE_P(Isas,
                         CanonicalBitsTest,
                         testing::ValuesIn(supported_isas()),
                         isa_test_name);

}  // namespace
}  // namespace quire::kernels
