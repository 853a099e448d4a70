// SPDX-License-Identifier: Apache-2.0
// "ridgeline spool 1", a line feed, the SHA-256 of the rest as 64 hex digits, a line feed, then messages, each behind
// its length as four bytes, least significant first: a Hello with group and incarnation, and the records.
#include "worker/rpc/spool_file.h"

#include <cstdint>
#include <filesystem>
#include <utility>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr std::string_view kMagic = "ridgeline spool 1\n";
constexpr size_t kHashDigits = 64, kLengthBytes = 4;
constexpr size_t kHeaderBytes = kMagic.size() + kHashDigits + 1;

absl::Status Damaged(std::string_view what) { return absl::DataLossError(fmt::format("no spool: {}", what)); }

bool IsKept(const v1::WorkerMessage& message) {
  return message.has_checkpoint() || message.has_result() || message.has_metrics();
}

const std::string& JobOf(const v1::WorkerMessage& record) {
  if (record.has_metrics()) return record.metrics().job_id();
  return record.has_result() ? record.result().job_id() : record.checkpoint().job_id();
}

void AppendMessage(const v1::WorkerMessage& message, std::string* body) {
  const std::string bytes = message.SerializeAsString();
  for (size_t i = 0; i < kLengthBytes; ++i) *body += static_cast<char>(bytes.size() >> (8 * i) & 0xff);
  *body += bytes;
}

// Takes one message off the front of `rest`.
absl::StatusOr<v1::WorkerMessage> TakeMessage(std::string_view* rest) {
  if (rest->size() < kLengthBytes) return Damaged("a length is cut off");
  size_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= size_t{static_cast<unsigned char>((*rest)[i])} << (8 * i);
  rest->remove_prefix(kLengthBytes);
  if (length > rest->size()) return Damaged("a message is cut off");
  v1::WorkerMessage message;
  if (!message.ParseFromArray(rest->data(), static_cast<int>(length))) return Damaged("a message cannot be read");
  rest->remove_prefix(length);
  return message;
}

absl::Status CheckRecord(const v1::WorkerMessage& record, int64_t last_sequence) {
  if (!IsKept(record)) return Damaged("a record is of a kind that is not kept");
  if (record.sequence() <= last_sequence) return Damaged("sequences do not rise");
  return JobOf(record).empty() ? Damaged("a record has no job") : absl::OkStatus();
}

size_t BytesOf(const v1::WorkerMessage& message) { return message.ByteSizeLong() + kLengthBytes; }

// Which records are left out: the oldest that are no results first, then the oldest results.
std::vector<bool> LeftOut(const std::vector<v1::WorkerMessage>& records, size_t header_bytes) {
  std::vector<bool> out(records.size(), false);
  size_t count = records.size(), bytes = header_bytes;
  for (const v1::WorkerMessage& record : records) bytes += BytesOf(record);
  for (const bool results : {false, true})
    for (size_t i = 0; i < records.size() && (count > kMaxSpoolRecords || bytes > kMaxSpoolBytes); ++i) {
      if (records[i].has_result() != results) continue;
      out[i] = true;
      --count;
      bytes -= BytesOf(records[i]);
    }
  return out;
}

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// A name as one part of a path: other characters as %XX, a first dot, too; the hash of one that would be too long.
std::string FolderName(const std::string& name) {
  std::string folder;
  for (const char c : name)
    folder += IsPlain(c) && !(folder.empty() && c == '.') ? std::string(1, c)
                                                          : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  constexpr size_t kMaxBytes = 200;
  return folder.empty() || folder.size() > kMaxBytes ? "%" + Sha256Hex(name) : folder;
}

}  // namespace

std::string SpoolPath(const std::string& work_dir, const std::string& group_id) {
  return (std::filesystem::path(work_dir) / "groups" / FolderName(group_id) / "spool").string();
}

std::string FormatSpool(const Spool& spool) {
  v1::WorkerMessage hello;
  hello.mutable_hello()->set_group_id(spool.group_id);
  hello.mutable_hello()->set_incarnation(spool.incarnation);
  const std::vector<bool> left_out = LeftOut(spool.records, kHeaderBytes + BytesOf(hello));
  std::string body;
  AppendMessage(hello, &body);
  for (size_t i = 0; i < spool.records.size(); ++i)
    if (!left_out[i]) AppendMessage(spool.records[i], &body);
  return fmt::format("{}{}\n{}", kMagic, Sha256Hex(body), body);
}

absl::StatusOr<Spool> ParseSpool(std::string_view bytes) {
  if (bytes.size() > kMaxSpoolBytes) return Damaged(fmt::format("it has more than {} bytes", kMaxSpoolBytes));
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic) || bytes[kHeaderBytes - 1] != '\n')
    return Damaged("it does not begin as one");
  std::string_view rest = bytes.substr(kHeaderBytes);
  if (Sha256Hex(rest) != bytes.substr(kMagic.size(), kHashDigits)) return Damaged("its hash is another one");
  ASSIGN_OR_RETURN(v1::WorkerMessage first, TakeMessage(&rest));
  Spool spool{.group_id = first.hello().group_id(), .incarnation = first.hello().incarnation()};
  if (spool.group_id.empty() || spool.incarnation.empty()) return Damaged("it does not say whose it is");
  for (int64_t last_sequence = 0; !rest.empty(); last_sequence = spool.records.back().sequence()) {
    if (spool.records.size() == kMaxSpoolRecords) return Damaged("it has too many records");
    ASSIGN_OR_RETURN(v1::WorkerMessage record, TakeMessage(&rest));
    RETURN_IF_ERROR(CheckRecord(record, last_sequence));
    spool.records.push_back(std::move(record));
  }
  return spool;
}

absl::StatusOr<std::optional<Spool>> ReadSpool(const std::string& path, const std::string& group_id) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxSpoolBytes);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  if (absl::IsResourceExhausted(bytes.status())) return absl::DataLossError(bytes.status().message());
  RETURN_IF_ERROR(bytes.status());
  absl::StatusOr<Spool> spool = ParseSpool(*bytes);
  if (!spool.ok()) return absl::DataLossError(fmt::format("{}: {}", path, std::string(spool.status().message())));
  if (spool->group_id != group_id) return absl::DataLossError(fmt::format("{} is another group's spool", path));
  return *std::move(spool);
}

}  // namespace ridgeline
