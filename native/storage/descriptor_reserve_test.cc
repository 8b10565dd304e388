#include "storage/descriptor_reserve.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace storage {
namespace {

TEST(DescriptorReserve, IsAQuarterOfASmallLimitAnd256OfALargeOne) {
  EXPECT_FALSE(IsOfReserve(74, 100));
  EXPECT_TRUE(IsOfReserve(75, 100));
  EXPECT_FALSE(IsOfReserve(65279, 65536));
  EXPECT_TRUE(IsOfReserve(65280, 65536));
  EXPECT_FALSE(IsOfReserve(1 << 30, RLIM_INFINITY));
}

}  // namespace
}  // namespace storage
