#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Names of a volume's files (specification, section 1).
namespace storage {

struct VolumePaths {
  uint32_t volume_id = 0;
  std::string collection;
  std::string base;      // <dir>/<vid> or <dir>/<collection>_<vid>, for .dat .vif .cpd .cpc .note
  std::string idx_base;  // the same in the idx directory, for .idx .cpx
  /// Two volumes of the directory claim this id: it is unknown which one the server loaded.
  bool is_ambiguous = false;

  [[nodiscard]] std::string dat() const { return base + ".dat"; }
  [[nodiscard]] std::string idx() const { return idx_base + ".idx"; }
  [[nodiscard]] bool operator==(const VolumePaths&) const = default;
};

struct VolumeName {
  uint32_t volume_id;
  std::string_view collection;
};

/// The volume id is what follows the last '_'; nothing for a name that is no volume's.
[[nodiscard]] std::optional<VolumeName> ParseVolumeName(std::string_view stem);

/// `idx_dir` empty: beside the .dat. An .idx that lies beside the .dat wins over `idx_dir`.
[[nodiscard]] VolumePaths PathsOf(std::string_view dir, std::string_view idx_dir,
                                  std::string_view collection, uint32_t volume_id);

[[nodiscard]] bool Exists(const std::string& path);

}  // namespace storage
