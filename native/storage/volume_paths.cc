#include "storage/volume_paths.h"

#include <unistd.h>

#include <charconv>

namespace storage {

std::optional<VolumeName> ParseVolumeName(std::string_view stem) {
  const size_t underscore = stem.rfind('_');
  const bool has_collection = underscore != std::string_view::npos;
  const std::string_view digits = has_collection ? stem.substr(underscore + 1) : stem;
  uint32_t volume_id = 0;
  const char* end = digits.data() + digits.size();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the end is given, too.
  const auto parsed = std::from_chars(digits.data(), end, volume_id);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return VolumeName{volume_id, has_collection ? stem.substr(0, underscore) : std::string_view()};
}

VolumePaths PathsOf(std::string_view dir, std::string_view idx_dir, std::string_view collection,
                    uint32_t volume_id) {
  std::string stem(collection);
  if (!stem.empty()) stem += '_';
  stem += std::to_string(volume_id);
  VolumePaths paths;
  paths.volume_id = volume_id;
  paths.collection = collection;
  paths.base = std::string(dir) + '/' + stem;
  const bool is_beside = idx_dir.empty() || access((paths.base + ".idx").c_str(), F_OK) == 0;
  paths.idx_base = is_beside ? paths.base : std::string(idx_dir) + '/' + stem;
  return paths;
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace storage
