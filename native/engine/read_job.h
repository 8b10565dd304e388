#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/engine.h"
#include "memory/arena.h"
#include "protocol/status.h"
#include "storage/file_read.h"
#include "storage/needle_record.h"
#include "storage/volume.h"

// One READ from the needle's place to the answer, as steps that each read one range, in pieces.
// Provide() and Accept() belong to the owner thread; Run() may be done on an I/O thread instead,
// one thread at a time.
namespace engine {

/// Longer reads are large ones, and have turns of their own.
inline constexpr uint64_t kShortBytesMax = 128 << 10;

/// Where the answer is read from, fixed when the request was looked up.
struct ReadPlace {
  std::shared_ptr<const storage::VolumeFiles> files;
  uint64_t epoch;
  uint64_t position;
  uint64_t offset;        // of the record, in bytes
  uint32_t size;          // of the index row
  uint32_t offset_bytes;  // 4: a record past 32 GiB may hide behind the offset
  uint8_t version;
};

class ReadJob {
 public:
  /// `verified`: the computed checksum, when the whole needle was verified in this generation
  /// before.
  ReadJob(uint64_t token, const ReadCommand& command, ReadPlace place,
          std::optional<uint32_t> verified);

  /// The memory that the next step needs and the job does not have; 0: none.
  [[nodiscard]] uint64_t WantedBytes() const;
  /// A lease of so many bytes.
  void Provide(memory::Lease lease) { lease_ = std::move(lease); }
  /// Nothing: there is another piece to be read, and others may have their turn before it.
  [[nodiscard]] std::optional<storage::ReadOutcome> Run(storage::Blocking blocking);
  /// Judges what Run() read: nothing when there is another step, else the answer's status.
  [[nodiscard]] std::optional<protocol::Status> Accept(storage::ReadOutcome outcome);

  /// The next step verifies the needle. Another job's verification of the same record may stand in
  /// for it.
  [[nodiscard]] bool is_verifying() const { return step_ == Step::kVerify; }
  void AdoptVerified(uint32_t checksum);

  /// The answer after Accept() said ok.
  [[nodiscard]] ReadResult TakeResult(memory::Arena& arena);
  [[nodiscard]] ReadResult Failure(protocol::Status status) const;

  /// The next step reads few bytes: it need not wait for long ones.
  [[nodiscard]] bool is_short() const;

  [[nodiscard]] uint64_t token() const { return token_; }
  [[nodiscard]] uint32_t share() const { return command_.share; }
  [[nodiscard]] uint64_t deadline_ns() const { return command_.deadline_ns; }
  [[nodiscard]] const ReadPlace& place() const { return place_; }
  /// The computed checksum, when this job was the one that verified the needle.
  [[nodiscard]] std::optional<uint32_t> newly_verified() const { return newly_verified_; }

 private:
  enum class Step {
    kHead,    // the first 20 bytes of a large record: what to read next depends on its data size
    kRecord,  // all of it
    kVerify,  // the data in pieces, for its checksum alone
    kSlice,   // the asked bytes and what follows the data
  };
  /// The part of the data that is sent.
  struct Extent {
    uint64_t offset;
    uint64_t bytes;
    bool is_whole;
  };

  [[nodiscard]] Step FirstStep() const;
  [[nodiscard]] Extent ExtentOf(uint64_t data_bytes) const;
  [[nodiscard]] uint64_t TailBytes() const;
  [[nodiscard]] std::optional<storage::ReadOutcome> RunRecord(storage::Blocking blocking);
  [[nodiscard]] std::optional<storage::ReadOutcome> RunVerify();
  [[nodiscard]] std::optional<storage::ReadOutcome> RunSlice(storage::Blocking blocking);
  /// The checksum of the whole data is to be computed while the record is read.
  [[nodiscard]] bool IsChecksumWanted() const;
  void BeginStep(Step step);
  /// Nothing when the header is the one asked for; else how to go on.
  struct HeadVerdict {
    bool is_retry;
    protocol::Status status;
  };
  [[nodiscard]] std::optional<HeadVerdict> JudgeHead(std::span<const std::byte> head);
  [[nodiscard]] std::optional<protocol::Status> AcceptHead();
  [[nodiscard]] protocol::Status AcceptRecord();
  [[nodiscard]] protocol::Status AcceptSlice();
  [[nodiscard]] protocol::Status Judge(std::span<const std::byte> tail_bytes);
  [[nodiscard]] protocol::Status JudgeTtl();
  void Arrange(uint64_t data_at, uint64_t tail_at);

  uint64_t token_;
  ReadCommand command_;
  ReadPlace place_;
  std::optional<uint32_t> verified_;
  std::optional<uint32_t> newly_verified_;
  Step step_;
  std::array<std::byte, storage::kNeedleHeaderBytes + storage::kDataSizeBytes> head_{};
  storage::NeedleHeader header_{};
  storage::Piece data_{};
  storage::NeedleTail tail_;
  uint64_t ttl_left_ns_ = 0;
  bool has_ttl_ = false;
  memory::Lease lease_;
  uint64_t run_bytes_ = 0;  // of this step's range, read already
  uint32_t run_crc_ = 0;    // of the data among them
  uint64_t payload_at_ = 0;
  uint64_t payload_bytes_ = 0;
  uint32_t slice_crc_ = 0;
};

}  // namespace engine
