#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Helpers that the tests of volume files share.
namespace storage {

/// A directory of its own, removed with all that is in it.
class VolumeDirectory {
 public:
  VolumeDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "volume-XXXXXX";
    const char* made = mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    path_ = pattern;
  }
  ~VolumeDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  VolumeDirectory(const VolumeDirectory&) = delete;
  VolumeDirectory& operator=(const VolumeDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

inline std::vector<std::byte> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline std::span<const std::byte> BytesOfText(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Volumes that a volume server wrote, with the recorded answers to them.
inline std::string RecordedVolumes(std::string_view group) {
  const auto source = std::filesystem::path(__FILE__).parent_path();
  return (source / "../../test/conformance/fixtures/data" / group).string();
}

}  // namespace storage
