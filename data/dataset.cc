// SPDX-License-Identifier: Apache-2.0
#include "data/dataset.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "data/dataset_format.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxManifestBytes = size_t{1} << 26;
constexpr char kRemedy[] = "make it again with 'ridgeline data prepare'";

absl::Status DataLoss(const std::string& path, const std::string& what) {
  return absl::DataLossError(fmt::format("{}: {}; {}", path, what, kRemedy));
}

// A read-only mapping of a whole regular file.
class MappedFile {
 public:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path) {
    // A link could lead outside the folder, and a pipe would block.
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) return DataLoss(path, "a symbolic link, not a file of the dataset");
    if (fd < 0) {
      absl::Status status = ErrnoStatus(errno, fmt::format("opening {}", path));
      return absl::Status(status.code(), fmt::format("{}; {}", std::string(status.message()), kRemedy));
    }
    auto mapped = Map(fd, path);
    ::close(fd);
    return mapped;
  }
  MappedFile(void* address, size_t size) : address_(address), size_(size) {}
  ~MappedFile() { ::munmap(address_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

 private:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Map(int fd, const std::string& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, fmt::format("reading {}", path));
    if (!S_ISREG(info.st_mode)) return DataLoss(path, "not a regular file");
    size_t size = static_cast<size_t>(info.st_size);
    if (size == 0) return DataLoss(path, "empty");
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) return ErrnoStatus(errno, fmt::format("mapping {}", path));
    return std::make_unique<MappedFile>(address, size);
  }

  void* address_;
  size_t size_;
};

struct Split {
  std::unique_ptr<MappedFile> file;
  std::span<const uint32_t> ids;
};

absl::StatusOr<Split> OpenSplit(const std::string& path, int64_t tokens, int64_t vocab_size, const std::string& sha256,
                                bool verify_hash) {
  Split split;
  ASSIGN_OR_RETURN(split.file, MappedFile::Open(path));
  auto ids = ParseTokenFile(split.file->bytes(), tokens, vocab_size);
  if (!ids.ok()) return DataLoss(path, std::string(ids.status().message()));
  split.ids = *ids;
  if (verify_hash && Sha256Hex(split.file->bytes()) != sha256)
    return DataLoss(path, fmt::format("its SHA-256 is not {} as dataset.json says", sha256));
  return split;
}

class MappedDataset : public Dataset {
 public:
  MappedDataset(DatasetManifest manifest, Split train, Split validation)
      : manifest_(std::move(manifest)), train_(std::move(train)), validation_(std::move(validation)) {}
  const DatasetInfo& info() const override { return manifest_.info; }
  const Tokenizer& tokenizer() const override { return *manifest_.tokenizer; }
  std::span<const uint32_t> train() const override { return train_.ids; }
  std::span<const uint32_t> validation() const override { return validation_.ids; }

 private:
  DatasetManifest manifest_;
  Split train_;
  Split validation_;
};

absl::StatusOr<DatasetManifest> ReadManifest(const std::string& dir) {
  std::string path = dir + "/" + kDatasetFile;
  auto json = ReadFile(path, kMaxManifestBytes);
  if (absl::IsNotFound(json.status())) {
    return absl::NotFoundError(fmt::format("no dataset at '{}' (it has no {}); {}", dir, kDatasetFile, kRemedy));
  }
  if (!json.ok()) return json.status();
  auto manifest = ParseDatasetManifest(*json, [&](const std::string& name) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const auto file, MappedFile::Open(dir + "/" + name));
    return std::string(file->bytes());
  });
  if (!manifest.ok()) return DataLoss(path, std::string(manifest.status().message()));
  return manifest;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(const std::string& dir, bool verify_hashes) {
  ASSIGN_OR_RETURN(DatasetManifest manifest, ReadManifest(dir));
  const DatasetInfo& info = manifest.info;
  ASSIGN_OR_RETURN(Split train, OpenSplit(dir + "/" + kTrainFile, info.train_tokens, info.vocab_size, info.train_sha256,
                                          verify_hashes));
  ASSIGN_OR_RETURN(Split validation, OpenSplit(dir + "/" + kValidationFile, info.validation_tokens, info.vocab_size,
                                               info.validation_sha256, verify_hashes));
  return std::make_unique<MappedDataset>(std::move(manifest), std::move(train), std::move(validation));
}

}  // namespace ridgeline
