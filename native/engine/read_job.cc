#include "engine/read_job.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "protocol/clock.h"
#include "storage/crc32c.h"
#include "storage/superblock.h"

namespace engine {
namespace {

using protocol::Status;
using storage::Blocking;
using storage::ReadOutcome;

constexpr uint64_t kAlwaysVerifyBytes = 64 << 10;  // cheaper than remembering that it was done
/// Then the reads of others have their turn on the I/O thread. The checksum finds a piece in the
/// processor's cache.
constexpr uint64_t kPieceBytes = 1 << 20;
// Longer reads go to an I/O thread even from the page cache: copying them would hold up everybody
// else. Measured: handing a read over costs 8 µs of 18 at 64 KiB, and nothing of 150 at 1 MiB.
constexpr uint64_t kInlineBytesMax = 256 << 10;
constexpr uint64_t kCopyRatio =
    4;  // a slab this many times its payload is exchanged for a small one

Status StatusOf(ReadOutcome outcome) {
  switch (outcome) {
    case ReadOutcome::kDone:
      return Status::ok;
    case ReadOutcome::kEnd:
      return Status::corrupt;  // the record is cut off
    case ReadOutcome::kWouldBlock:
    case ReadOutcome::kCannotTell:
    case ReadOutcome::kFailed:
      return Status::io_error;
  }
  return Status::io_error;
}

}  // namespace

ReadJob::ReadJob(uint64_t token, const ReadCommand& command, ReadPlace place,
                 std::optional<uint32_t> verified)
    : token_(token),
      command_(command),
      place_(std::move(place)),
      verified_(verified),
      step_(FirstStep()) {}

// A large record is read only where it is sent; a middling one is read whole until it was verified.
ReadJob::Step ReadJob::FirstStep() const {
  if (place_.size >= storage::kStreamSizeMin) return Step::kHead;
  const bool may_be_part = !ExtentOf(place_.size).is_whole;
  return place_.size > kAlwaysVerifyBytes && verified_ && may_be_part ? Step::kHead : Step::kRecord;
}

uint64_t ReadJob::WantedBytes() const {
  if (step_ == Step::kHead || step_ == Step::kVerify) return 0;
  const uint64_t record_bytes = storage::RecordBytes(place_.version, place_.size);
  const uint64_t bytes =
      step_ == Step::kRecord ? record_bytes : ExtentOf(data_.bytes).bytes + TailBytes();
  return lease_ && lease_.bytes().size() == bytes ? 0 : bytes;
}

bool ReadJob::is_short() const {
  return step_ != Step::kVerify && lease_.bytes().size() <= kShortBytesMax;
}

std::optional<ReadOutcome> ReadJob::Run(Blocking blocking) {
  if (blocking == Blocking::kNo && lease_.bytes().size() > kInlineBytesMax)
    return ReadOutcome::kWouldBlock;
  switch (step_) {
    case Step::kHead:
      return storage::ReadAt(place_.files->dat.get(), head_, place_.offset, blocking);
    case Step::kRecord:
      return RunRecord(blocking);
    case Step::kVerify:
      return blocking == Blocking::kNo ? ReadOutcome::kWouldBlock : RunVerify();
    case Step::kSlice:
      break;
  }
  return RunSlice(blocking);
}

std::optional<Status> ReadJob::Accept(ReadOutcome outcome) {
  if (outcome != ReadOutcome::kDone) {
    return protocol::NowNs() >= command_.deadline_ns ? Status::deadline : StatusOf(outcome);
  }
  switch (step_) {
    case Step::kHead:
      return AcceptHead();
    case Step::kVerify:
      BeginStep(Step::kSlice);
      return std::nullopt;
    case Step::kSlice:
      return AcceptSlice();
    case Step::kRecord:
      break;
  }
  if (const auto verdict = JudgeHead(lease_.bytes())) {
    if (!verdict->is_retry) return verdict->status;
    BeginStep(step_);
    return std::nullopt;
  }
  return AcceptRecord();
}

void ReadJob::AdoptVerified(uint32_t checksum) {
  verified_ = checksum;
  BeginStep(Step::kSlice);
}

ReadResult ReadJob::TakeResult(memory::Arena& arena) {
  ReadResult result = Failure(Status::ok);
  const Extent extent = ExtentOf(data_.bytes);
  const bool is_plain = (tail_.flags & (storage::kCompressed | storage::kManifest)) == 0;
  const bool is_stream = place_.size >= storage::kStreamSizeMin && is_plain;
  protocol::ReadReply& reply = result.header;
  reply.append_at_ns = tail_.append_at_ns;
  reply.ttl_left_ns = ttl_left_ns_;
  reply.last_modified_s = tail_.last_modified_s;
  reply.data_bytes_total = data_.bytes;
  reply.data_offset = extent.offset;
  reply.data_length = extent.bytes;
  reply.index_bytes = place_.size;
  // Without all the data the proxy cannot compute what the volume server would have computed.
  reply.checksum = extent.is_whole || is_stream ? tail_.checksum : *verified_;
  reply.data_crc32c = extent.bytes == 0 || extent.is_whole ? *verified_ : slice_crc_;
  reply.pairs_bytes = static_cast<uint32_t>(tail_.pairs.bytes);
  reply.reply_flags = static_cast<uint16_t>((extent.is_whole ? protocol::kWhole : 0) |
                                            (is_stream ? protocol::kStream : 0) |
                                            (has_ttl_ ? protocol::kHasTtl : 0));
  reply.needle_flags = tail_.flags;
  reply.name_bytes = static_cast<uint8_t>(tail_.name.bytes);
  reply.mime_bytes = static_cast<uint8_t>(tail_.mime.bytes);
  result.payload_bytes = payload_bytes_;
  if (payload_bytes_ == 0) return result;
  result.lease = std::move(lease_);
  result.payload_offset = payload_at_;
  if (result.lease.slab_bytes() < kCopyRatio * std::max<uint64_t>(payload_bytes_, 1024))
    return result;
  memory::Lease small = arena.Allocate(payload_bytes_, command_.share);
  if (!small) return result;
  std::memcpy(small.bytes().data(), &result.lease.bytes()[payload_at_], payload_bytes_);
  result.lease = std::move(small);
  result.payload_offset = 0;
  return result;
}

ReadResult ReadJob::Failure(Status status) const {
  ReadResult result{};
  result.header.epoch = place_.epoch;
  result.header.position = place_.position;
  result.header.status = static_cast<uint16_t>(status);
  result.header.volume_version = place_.version;
  return result;
}

ReadJob::Extent ReadJob::ExtentOf(uint64_t data_bytes) const {
  if (command_.metadata_only) return {0, 0, false};
  const bool is_all = command_.offset == 0 && command_.length >= data_bytes;
  if (data_bytes <= command_.whole_bytes_max || is_all) return {0, data_bytes, true};
  if (command_.offset >= data_bytes) return {data_bytes, 0, false};
  return {command_.offset, std::min(command_.length, data_bytes - command_.offset), false};
}

uint64_t ReadJob::TailBytes() const {
  return storage::RecordBytes(place_.version, place_.size) - data_.offset - data_.bytes;
}

bool ReadJob::IsChecksumWanted() const { return !verified_ || place_.size <= kAlwaysVerifyBytes; }

void ReadJob::BeginStep(Step step) {
  step_ = step;
  run_bytes_ = 0;
  run_crc_ = 0;
}

std::optional<ReadOutcome> ReadJob::RunRecord(Blocking blocking) {
  const auto record = lease_.bytes();
  const auto piece = record.subspan(run_bytes_, std::min(kPieceBytes, record.size() - run_bytes_));
  const ReadOutcome outcome =
      storage::ReadAt(place_.files->dat.get(), piece, place_.offset + run_bytes_, blocking);
  if (outcome != ReadOutcome::kDone) return outcome;
  const uint64_t begin = std::exchange(run_bytes_, run_bytes_ + piece.size());
  // A head that contradicts the index is judged later.
  const auto data = storage::DataPiece(place_.version, place_.size, record);
  if (data && IsChecksumWanted()) {
    const uint64_t from = std::max(begin, data->offset);
    const uint64_t to = std::min(run_bytes_, data->offset + data->bytes);
    if (from < to) run_crc_ = storage::Crc32c(run_crc_, record.subspan(from, to - from));
  }
  return run_bytes_ == record.size() ? std::optional(ReadOutcome::kDone) : std::nullopt;
}

// Through one buffer a thread: a large needle costs no slab to be verified.
std::optional<ReadOutcome> ReadJob::RunVerify() {
  thread_local std::vector<std::byte> buffer(kPieceBytes);
  const auto piece = std::span(buffer).first(std::min(kPieceBytes, data_.bytes - run_bytes_));
  const ReadOutcome outcome = storage::ReadAt(
      place_.files->dat.get(), piece, place_.offset + data_.offset + run_bytes_, Blocking::kYes);
  if (outcome != ReadOutcome::kDone) return outcome;
  run_crc_ = storage::Crc32c(run_crc_, piece);
  run_bytes_ += piece.size();
  if (run_bytes_ < data_.bytes) return std::nullopt;
  newly_verified_ = run_crc_;
  return ReadOutcome::kDone;
}

std::optional<ReadOutcome> ReadJob::RunSlice(Blocking blocking) {
  const int fd = place_.files->dat.get();
  const Extent extent = ExtentOf(data_.bytes);
  const uint64_t data_at = place_.offset + data_.offset;
  const auto piece =
      lease_.bytes().subspan(run_bytes_, std::min(kPieceBytes, extent.bytes - run_bytes_));
  const ReadOutcome outcome =
      storage::ReadAt(fd, piece, data_at + extent.offset + run_bytes_, blocking);
  if (outcome != ReadOutcome::kDone) return outcome;
  run_crc_ = storage::Crc32c(run_crc_, piece);
  run_bytes_ += piece.size();
  if (run_bytes_ < extent.bytes) return std::nullopt;
  slice_crc_ = run_crc_;
  return storage::ReadAt(fd, lease_.bytes().subspan(extent.bytes), data_at + data_.bytes, blocking);
}

std::optional<ReadJob::HeadVerdict> ReadJob::JudgeHead(std::span<const std::byte> head) {
  header_ = storage::ParseNeedleHeader(head.first<storage::kNeedleHeaderBytes>());
  if (header_.size != static_cast<int32_t>(place_.size)) {
    const auto second = storage::SecondOffset(place_.offset, place_.offset_bytes);
    if (!second) return HeadVerdict{false, Status::corrupt};
    verified_.reset();  // was that of the record at the first offset
    place_.offset = *second;
    return HeadVerdict{true, Status::ok};
  }
  const auto data = storage::DataPiece(place_.version, place_.size, head);
  if (!data) return HeadVerdict{false, Status::corrupt};
  data_ = *data;
  if (data_.bytes == 0) return HeadVerdict{false, Status::empty};
  if (place_.size >= storage::kStreamSizeMin && TailBytes() > storage::kStreamTailBytesMax) {
    return HeadVerdict{false, Status::corrupt};
  }
  if (ExtentOf(data_.bytes).bytes > command_.budget_bytes)
    return HeadVerdict{false, Status::too_large};
  return std::nullopt;
}

std::optional<Status> ReadJob::AcceptHead() {
  if (const auto verdict = JudgeHead(head_)) {
    if (verdict->is_retry) return std::nullopt;
    return verdict->status;
  }
  const Step step_for_part = verified_ ? Step::kSlice : Step::kVerify;
  BeginStep(ExtentOf(data_.bytes).is_whole ? Step::kRecord : step_for_part);
  return std::nullopt;
}

Status ReadJob::AcceptRecord() {
  const auto record = std::span<const std::byte>(lease_.bytes());
  const uint64_t tail_at = data_.offset + data_.bytes;
  const Status status = Judge(record.subspan(tail_at));
  if (status != Status::ok) return status;
  const Extent extent = ExtentOf(data_.bytes);
  Arrange(data_.offset + extent.offset, tail_at);
  return Status::ok;
}

Status ReadJob::AcceptSlice() {
  const Extent extent = ExtentOf(data_.bytes);
  const Status status = Judge(lease_.bytes().subspan(extent.bytes));
  if (status != Status::ok) return status;
  Arrange(0, extent.bytes);
  return Status::ok;
}

// In the volume server's order: structure and checksum, then the ttl, then the cookie.
Status ReadJob::Judge(std::span<const std::byte> tail_bytes) {
  const auto tail = storage::ParseTail(place_.version, place_.size, tail_bytes);
  if (!tail) return Status::corrupt;
  tail_ = *tail;
  if (step_ == Step::kRecord && IsChecksumWanted()) newly_verified_ = run_crc_;
  if (newly_verified_) verified_ = newly_verified_;
  if (!storage::ChecksumMatches(tail_.checksum, *verified_)) {
    newly_verified_.reset();
    return Status::corrupt;
  }
  if (place_.size <= kAlwaysVerifyBytes) newly_verified_.reset();
  const Status ttl = JudgeTtl();
  if (ttl != Status::ok) return ttl;
  return header_.cookie == command_.cookie ? Status::ok : Status::cookie_mismatch;
}

// The append time counts, not Last-Modified; versions 1 and 2 have none, so theirs ended in 1970.
Status ReadJob::JudgeTtl() {
  constexpr uint8_t kBoth = storage::kHasTtlField | storage::kHasLastModified;
  const uint64_t minutes = storage::TtlMinutes(tail_.ttl_count, tail_.ttl_unit);
  if ((tail_.flags & kBoth) != kBoth || minutes == 0) return Status::ok;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto now_ns = static_cast<__int128>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  const auto end_ns = static_cast<__int128>(static_cast<int64_t>(tail_.append_at_ns)) +
                      static_cast<__int128>(minutes) * 60 * 1'000'000'000;
  if (now_ns >= end_ns) return Status::expired;
  has_ttl_ = true;
  ttl_left_ns_ = static_cast<uint64_t>(std::min<__int128>(end_ns - now_ns, INT64_MAX));
  return Status::ok;
}

// Name, mime and pairs move right behind the data that is sent: always towards the front, in their
// order.
void ReadJob::Arrange(uint64_t data_at, uint64_t tail_at) {
  const Extent extent = ExtentOf(data_.bytes);
  const auto bytes = lease_.bytes();
  if (step_ == Step::kRecord && !extent.is_whole && extent.bytes > 0) {
    slice_crc_ = storage::Crc32c(0, bytes.subspan(data_at, extent.bytes));
  }
  payload_at_ = data_at;
  uint64_t end = data_at + extent.bytes;
  for (const storage::Piece& piece : {tail_.name, tail_.mime, tail_.pairs}) {
    std::memmove(bytes.data() + end, bytes.data() + tail_at + piece.offset, piece.bytes);
    end += piece.bytes;
  }
  payload_bytes_ = end - data_at;
}

}  // namespace engine
