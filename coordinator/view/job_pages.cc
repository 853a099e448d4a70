// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/job_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "common/status_macros.h"
#include "coordinator/view/job_views.h"

namespace ridgeline {
namespace {

using Labels = google::protobuf::Map<std::string, std::string>;
using Jobs = std::map<int64_t, v1::Job>;

constexpr int kMaxListedAttempts = 4;
constexpr size_t kMaxListedTextBytes = 300;
constexpr int64_t kCompletionBytes = 512;  // What answers add to a job: progress and why it waits.

void Cut(std::string* text) {
  if (text->size() <= kMaxListedTextBytes) return;
  size_t end = kMaxListedTextBytes;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  text->resize(end);
  *text += " ...";
}

class Page {
 public:
  Page(const CoordinatorState& state, const v1::ListJobsRequest& request, v1::ListJobsResponse* response)
      : state_(state),
        request_(request),
        response_(response),
        states_(request.states().begin(), request.states().end()) {}

  absl::Status Fill() {
    if (request_.page_size() < 0) return absl::InvalidArgumentError("page_size is negative; 0 takes what fits");
    RETURN_IF_ERROR(Bound());
    RETURN_IF_ERROR(GoOnFromToken());
    if (request_.newest_first()) {
      Add(std::make_reverse_iterator(end_), std::make_reverse_iterator(begin_));
    } else {
      Add(begin_, end_);
    }
    return absl::OkStatus();
  }

 private:
  // Children follow their parent without a gap.
  absl::Status Bound() {
    begin_ = state_.jobs().begin();
    end_ = state_.jobs().end();
    if (request_.parent_id().empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const v1::Job* parent, state_.Find(request_.parent_id()));
    parent_id_ = parent->id();
    begin_ = end_ = state_.jobs().upper_bound(ParseJobNumber(parent_id_));
    if (IsParent(*parent)) end_ = state_.jobs().upper_bound(ParseJobNumber(*parent->child_ids().rbegin()));
    return absl::OkStatus();
  }

  absl::Status GoOnFromToken() {
    if (request_.page_token().empty()) return absl::OkStatus();
    int64_t number = 0;
    if (!absl::SimpleAtoi(request_.page_token(), &number) || number <= 0)
      return absl::InvalidArgumentError("page_token is not the next_page_token of an answer");
    if (request_.newest_first()) {
      end_ = state_.jobs().lower_bound(std::min(number, NumberAt(end_)));
      if (NumberAt(begin_) > number) end_ = begin_;
    } else {
      begin_ = state_.jobs().upper_bound(std::max(number, NumberAt(begin_) - 1));
      if (NumberAt(end_) <= number) begin_ = end_;
    }
    return absl::OkStatus();
  }
  int64_t NumberAt(Jobs::const_iterator at) const {
    return at == state_.jobs().end() ? state_.next_job_number() : at->first;
  }

  template <typename Iterator>
  void Add(Iterator begin, Iterator end) {
    int64_t last = 0;
    for (auto each = begin; each != end; ++each) {
      const v1::Job& job = each->second;
      if (!Wanted(job)) continue;
      v1::Job copy = request_.omit_recipes() ? state_.CopyOf(job, kProgressSections) : state_.CopyOf(job);
      ShortenForList(&copy);
      bytes_ += static_cast<int64_t>(copy.ByteSizeLong()) + kCompletionBytes;
      const bool is_full = request_.page_size() > 0 && response_->jobs_size() >= request_.page_size();
      if (last != 0 && (is_full || bytes_ > kMaxAnswerBytes)) {
        response_->set_next_page_token(fmt::format("{}", last));
        return;
      }
      *response_->add_jobs() = std::move(copy);
      last = each->first;
    }
  }
  bool Wanted(const v1::Job& job) const {
    if (!states_.empty() && states_.count(job.state()) == 0) return false;
    if (!parent_id_.empty() && job.parent_id() != parent_id_) return false;
    if (!request_.owner().empty() && job.owner() != request_.owner()) return false;
    return MatchesSelector(state_, job, request_.selector());
  }

  const CoordinatorState& state_;
  const v1::ListJobsRequest& request_;
  v1::ListJobsResponse* const response_;
  const std::set<int> states_;
  std::string parent_id_;
  Jobs::const_iterator begin_, end_;
  int64_t bytes_ = 0;
};

}  // namespace

bool MatchesSelector(const CoordinatorState& state, const v1::Job& job, const Labels& selector) {
  if (selector.empty()) return true;
  const Labels labels = state.LabelsOf(job);
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

void ShortenForList(v1::Job* job) {
  Cut(job->mutable_reason());
  const int left_out = std::max(0, job->attempts_size() - kMaxListedAttempts);
  job->mutable_attempts()->DeleteSubrange(0, left_out);
  for (v1::Attempt& attempt : *job->mutable_attempts()) {
    Cut(attempt.mutable_detail());
    Cut(attempt.mutable_preempt_reason());
  }
}

absl::Status CopyPage(const CoordinatorState& state, const v1::ListJobsRequest& request,
                      v1::ListJobsResponse* response) {
  return Page(state, request, response).Fill();
}

}  // namespace ridgeline
