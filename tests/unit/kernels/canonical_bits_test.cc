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
  EXPECT_EQ(linear_bits(kernel_table(GetParam())), fuses(GetParam()) ? 1U : 2U);
}

TEST_P(CanonicalBitsTest, NormsAndActivationsHaveTheBitsOfEveryOtherMachine) {
  EXPECT_EQ(elementwise_bits(kernel_table(GetParam())), fuses(GetParam()) ? 1U : 2U);
}

TEST_P(CanonicalBitsTest, AttentionHasTheBitsOfEveryOtherMachine) {
  EXPECT_EQ(attention_bits(GetParam()), fuses(GetParam()) ? 1U : 2U);
}

INSTANTIATE_TEST_SUITE_P(Isas,
                         CanonicalBitsTest,
                         testing::ValuesIn(supported_isas()),
                         isa_test_name);

}  // namespace
}  // namespace quire::kernels
