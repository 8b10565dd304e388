#include "storage/catalogue.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace storage {
namespace {

class Catalogue : public testing::Test {
 protected:
  Catalogue() {
    char path[] = "/tmp/seaweed-catalogue-XXXXXX";
    root_ = mkdtemp(path);
  }
  ~Catalogue() override { std::filesystem::remove_all(root_); }

  std::string Dir(const std::string& name) {
    std::filesystem::create_directory(root_ + "/" + name);
    return root_ + "/" + name;
  }
  static void Touch(const std::string& path) { std::ofstream(path) << "x"; }
  static void TouchVolume(const std::string& base) {
    for (const char* extension : {".dat", ".idx", ".vif"}) Touch(base + extension);
  }

  std::string root_;
};

TEST_F(Catalogue, TheVolumeIdIsBehindTheLastUnderscore) {
  const std::string dir = Dir("a");
  TouchVolume(dir + "/7");
  TouchVolume(dir + "/my_pics-1.x_12");
  const auto found = *ScanDirectories(std::array{dir}, {});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].paths.volume_id, 7u);
  EXPECT_EQ(found[0].paths.collection, "");
  EXPECT_EQ(found[1].paths.volume_id, 12u);
  EXPECT_EQ(found[1].paths.collection, "my_pics-1.x");
}

TEST_F(Catalogue, NamesThatAreNoVolumesAreLeftOut) {
  const std::string dir = Dir("a");
  for (const char* name : {"x", "_", "1_", "1x", "-1", "4294967296", "007"})
    TouchVolume(dir + "/" + name);
  Touch(dir + "/5.dat");                                            // no .idx
  for (const char* name : {"/6.vif", "/6.ecx"}) Touch(dir + name);  // erasure coded
  EXPECT_TRUE(ScanDirectories(std::array{dir}, {})->empty());
}

TEST_F(Catalogue, TheFirstDirectoryThatHoldsTheIdWins) {
  const std::array dirs{Dir("a"), Dir("b")};
  TouchVolume(dirs[1] + "/7");
  TouchVolume(dirs[0] + "/c_7");
  const auto found = *ScanDirectories(dirs, {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].paths.base, dirs[0] + "/c_7");
  EXPECT_FALSE(found[0].paths.is_ambiguous);
}

TEST_F(Catalogue, TwoVolumesOfOneIdInADirectoryAreAmbiguous) {
  const std::string dir = Dir("a");
  TouchVolume(dir + "/c_7");
  TouchVolume(dir + "/7");
  const auto found = *ScanDirectories(std::array{dir}, {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].paths.is_ambiguous);
}

TEST_F(Catalogue, AnIndexBesideTheDataWinsOverTheIndexDirectory) {
  const std::string dir = Dir("a");
  const std::string idx_dir = Dir("idx");
  Touch(dir + "/7.dat");
  Touch(idx_dir + "/7.idx");
  const auto apart = *ScanDirectories(std::array{dir}, std::array{idx_dir});
  ASSERT_EQ(apart.size(), 1u);
  EXPECT_EQ(apart[0].paths.idx(), idx_dir + "/7.idx");
  Touch(dir + "/7.idx");
  EXPECT_EQ((*ScanDirectories(std::array{dir}, std::array{idx_dir}))[0].paths.idx(),
            dir + "/7.idx");
}

TEST_F(Catalogue, TheFingerprintFollowsTheFiles) {
  const std::string dir = Dir("a");
  TouchVolume(dir + "/7");
  const auto scan = [&] { return (*ScanDirectories(std::array{dir}, {}))[0].fingerprint; };
  const uint64_t before = scan();
  EXPECT_EQ(scan(), before);
  std::ofstream(dir + "/7.dat", std::ios::app) << "more";
  EXPECT_NE(scan(), before);
}

}  // namespace
}  // namespace storage
