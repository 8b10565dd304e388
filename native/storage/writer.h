#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/file_write.h"
#include "storage/needle_encode.h"
#include "storage/volume.h"

// Writes volumes that a volume server can load: for tests, demonstrations and benchmarks, never
// beside a running volume server. One writer a volume, one thread a writer. Each operation is one
// pwrite to the .dat, then one pwrite of its row to the .idx; what has returned is acknowledged, as
// with the volume server.
namespace storage {

struct NewVolume {
  std::string dir{};
  std::string idx_dir{};  // empty: beside the .dat
  std::string collection{};
  uint32_t volume_id = 0;
  uint8_t version = 3;
  uint8_t replica_placement = 0;  // dc*100 + rack*10 + node
  uint8_t ttl_count = 0;
  uint8_t ttl_unit = 0;
  uint32_t offset_bytes = 4;  // of .idx rows; 5 needs a volume server built with large_disk
};

struct NeedleToWrite {
  uint64_t needle_id = 0;
  uint32_t cookie = 0;
  std::span<const std::byte> data{};
  std::span<const std::byte> name{};  // at most 255 bytes, so is the mime type
  std::span<const std::byte> mime{};
  std::span<const std::byte> pairs{};  // a JSON object of strings, at most 65535 bytes
  /// kCompressed, kManifest; the flag of a field that is not empty is set in any case.
  uint8_t flags = 0;
  uint64_t last_modified_s = 0;  // 0: none
  uint8_t ttl_count = 0;         // 0: the volume's ttl, if it has one
  uint8_t ttl_unit = 0;
  uint64_t append_at_ns = 0;  // unix time; 0: now
  /// Stores the checksum in the form of volume servers before 3.09.
  bool legacy_checksum = false;
};

/// Where a record was put.
struct WrittenNeedle {
  uint64_t offset;  // in the .dat, bytes
  int32_t size;     // as the index has it
};

class VolumeWriter {
 public:
  /// A volume without needles. None of its files may exist.
  [[nodiscard]] static FileResult<std::unique_ptr<VolumeWriter>> Create(const NewVolume& options);
  /// Fails on what a volume server would not write to, and while another writer has the volume.
  [[nodiscard]] static FileResult<std::unique_ptr<VolumeWriter>> Open(const VolumePaths& paths);

  /// Overwrites too. Unlike the volume server it compares no cookie and writes identical data
  /// again.
  [[nodiscard]] FileResult<WrittenNeedle> Append(const NeedleToWrite& needle);
  /// False, and nothing is written, when the needle is not there.
  [[nodiscard]] FileResult<bool> Delete(uint64_t needle_id);

  /// The state after the last operation.
  [[nodiscard]] const Volume& volume() const { return *volume_; }
  [[nodiscard]] uint64_t dat_bytes() const { return dat_bytes_; }

 private:
  friend class Vacuum;
  explicit VolumeWriter(std::unique_ptr<Volume> volume) : volume_(std::move(volume)) {}

  /// Takes the files that the paths name now.
  [[nodiscard]] FileResult<void> Attach();
  /// From here on every write fails.
  void Detach();
  [[nodiscard]] FileResult<WrittenNeedle> Write(const NeedleFields& fields, bool is_delete);
  [[nodiscard]] uint64_t NextAppendNs();

  std::unique_ptr<Volume> volume_;
  UniqueFd dat_;
  UniqueFd idx_;
  uint64_t dat_bytes_ = 0;
  uint64_t last_append_ns_ = 0;
  std::vector<std::byte> record_;  // reused
};

}  // namespace storage
