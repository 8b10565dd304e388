#include "ucx/transport.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ucx {
namespace {

TEST(MessageTransport, IsThatOfTheLaneMarkedAm) {
  EXPECT_EQ(MessageTransportFromInfo("#               peer: <no debug data>\n"
                                     "#                 lane[0]:  4:cma/memory.0 md[4]       -> "
                                     "md[4]/cma/sysdev[255] rma_bw#0\n"
                                     "#                 lane[1]:  2:sysv/memory.0 md[2]      -> "
                                     "md[2]/sysv/sysdev[255] am am_bw#0 keepalive\n"),
            "sysv");
  EXPECT_EQ(MessageTransportFromInfo(
                "# lane[0]: 1:rc_mlx5/mlx5_0:1.0 md[0] -> md[0]/ib/sysdev[0] am rma_bw#0\n"),
            "rc_mlx5");
}

TEST(MessageTransport, IsNotGuessed) {
  EXPECT_EQ(MessageTransportFromInfo(""), "");
  EXPECT_EQ(MessageTransportFromInfo(
                "# lane[0]:  4:cma/memory.0 md[4] -> md[4]/cma/sysdev[255] am_bw#0\n"),
            "");
  EXPECT_EQ(MessageTransportFromInfo("# lane[0]:  cma md[4] -> am\n"), "");
}

TEST(Capabilities, ListTheTransportsThatWereAskedFor) {
  std::string error;
  const auto capabilities = QueryCapabilities({.tls = "tcp"}, error);
  ASSERT_TRUE(capabilities) << error;
  EXPECT_FALSE(capabilities->version.empty());
  ASSERT_FALSE(capabilities->transports.empty());
  EXPECT_TRUE(std::ranges::all_of(capabilities->transports, [](const std::string& transport) {
    return transport.starts_with("tcp/");
  }));
}

// UCX 1.13 connected with these, failed, and ended the process in ucp_ep_set_failed.
TEST(Context, IsNotMadeOfTransportsThatReachNobody) {
  for (const char* tls : {"self", "cma", "cma,self"}) {
    std::string error;
    EXPECT_EQ(Context::Create({.tls = tls}, error), nullptr) << tls;
    EXPECT_NE(error.find("leave no transport to another process"), std::string::npos) << error;
  }
}

TEST(Context, NeedsOneTransportThatReachesOthers) {
  EXPECT_TRUE(ReachOtherProcesses({"self/memory0", "tcp/lo"}));
  EXPECT_TRUE(ReachOtherProcesses({"cma/memory", "rc_mlx5/mlx5_0:1"}));
  EXPECT_TRUE(ReachOtherProcesses({"posix/memory"}));
  EXPECT_FALSE(
      ReachOtherProcesses({"self/memory0", "cma/memory", "knem/memory", "cuda_copy/cuda"}));
  EXPECT_FALSE(ReachOtherProcesses({}));
}

}  // namespace
}  // namespace ucx
