#include "storage/catalogue.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <map>

namespace storage {
namespace {

// Stems that look like a volume: a .dat, or a .vif alone (tiered volumes keep no .dat). A directory
// that is gone has none.
std::expected<std::vector<std::string>, std::string> VolumeStems(const std::string& dir) {
  std::vector<std::string> stems;
  DIR* handle = opendir(dir.c_str());
  if (handle == nullptr && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    return std::unexpected(dir + ": " + std::strerror(errno));
  if (handle == nullptr) return stems;
  while (const dirent* entry = readdir(handle)) {
    const std::string_view name = entry->d_name;
    if (name.size() < 5 || (!name.ends_with(".dat") && !name.ends_with(".vif"))) continue;
    stems.emplace_back(name.substr(0, name.size() - 4));
  }
  closedir(handle);
  return stems;
}

uint64_t Mix(uint64_t hash, uint64_t value) {
  return (hash ^ value) * 0x9e3779b97f4a7c15ull + (hash >> 29);
}

uint64_t MixFile(uint64_t hash, const struct stat& file) {
  hash = Mix(hash, file.st_ino);
  hash = Mix(hash, static_cast<uint64_t>(file.st_size));
  hash = Mix(hash, static_cast<uint64_t>(file.st_mtim.tv_sec));
  return Mix(hash, static_cast<uint64_t>(file.st_mtim.tv_nsec));
}

bool Look(FoundVolume& volume) {
  struct stat file{};
  if (stat(volume.paths.idx().c_str(), &file) != 0) return false;
  volume.idx = {file.st_dev, file.st_ino};
  volume.fingerprint = MixFile(1, file);
  if (stat(volume.paths.dat().c_str(), &file) == 0) {
    volume.dat = {file.st_dev, file.st_ino};
    volume.fingerprint = MixFile(volume.fingerprint, file);
  }
  if (stat((volume.paths.base + ".vif").c_str(), &file) == 0) {
    volume.fingerprint = MixFile(volume.fingerprint, file);
  }
  return true;
}

}  // namespace

std::string IdxDirOf(std::span<const std::string> idx_dirs, size_t index) {
  if (idx_dirs.empty()) return {};
  return idx_dirs.size() == 1      ? idx_dirs[0]
         : index < idx_dirs.size() ? idx_dirs[index]
                                   : std::string();
}

FoundVolumes ScanDirectories(std::span<const std::string> dirs,
                             std::span<const std::string> idx_dirs) {
  std::map<uint32_t, FoundVolume> volumes;
  for (size_t i = 0; i < dirs.size(); i++) {
    std::map<uint32_t, FoundVolume> here;
    const auto stems = VolumeStems(dirs[i]);
    if (!stems) return std::unexpected(stems.error());
    for (const std::string& stem : *stems) {
      const auto name = ParseVolumeName(stem);
      if (!name || volumes.contains(name->volume_id)) continue;
      FoundVolume volume;
      volume.paths = PathsOf(dirs[i], IdxDirOf(idx_dirs, i), name->collection, name->volume_id);
      // "007.dat" would be a volume 7 of another spelling; the server's own names never are.
      if (!volume.paths.base.ends_with(stem) || !Look(volume)) continue;
      const auto [other, is_new] = here.try_emplace(name->volume_id, volume);
      if (!is_new && other->second.paths.collection != volume.paths.collection) {
        other->second.paths.is_ambiguous = true;
      }
    }
    volumes.merge(here);
  }
  std::vector<FoundVolume> found;
  found.reserve(volumes.size());
  for (auto& [id, volume] : volumes) found.push_back(std::move(volume));
  return found;
}

}  // namespace storage
