// SPDX-License-Identifier: Apache-2.0
// Lists over real connections: whole, without repeats, and never more than a client takes that asks for no more.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "coordinator/rpc/test_cluster.h"

namespace ridgeline::test {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class ListingTest : public ClusterTest {
 protected:
  v1::ListJobsResponse List(const v1::ListJobsRequest& request) {
    v1::ListJobsResponse response;
    const grpc::Status status = Call(&v1::Coordinator::Stub::ListJobs, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // All pages; `between` runs after each.
  std::vector<std::string> ListAll(
      v1::ListJobsRequest request, const std::function<void()>& between = [] {}) {
    std::vector<std::string> ids;
    while (true) {
      const v1::ListJobsResponse page = List(request);
      for (const v1::Job& job : page.jobs()) ids.push_back(job.id());
      if (page.next_page_token().empty()) return ids;
      request.set_page_token(page.next_page_token());
      between();
    }
  }
  // A sweep whose children hold 15 KB of labels each.
  static v1::Recipe HeavySweep(int children) {
    v1::Recipe recipe = MakeRecipe("heavy");
    for (int i = 0; i < 60; ++i) (*recipe.mutable_labels())["label-" + std::to_string(i)] = std::string(250, 'x');
    recipe.mutable_sweep()->set_method("grid");
    v1::SweepValues& seeds = (*recipe.mutable_sweep()->mutable_parameters())["training.seed"];
    for (int i = 1; i <= children; ++i) seeds.add_values(std::to_string(i));
    return recipe;
  }
};

TEST_F(ListingTest, PagesHoldEachJobOnceWhileOthersComeAndEnd) {
  std::vector<std::string> submitted;
  for (int i = 0; i < 20; ++i) submitted.push_back(SubmitJob(MakeRecipe()).id());
  v1::ListJobsRequest request;
  request.set_page_size(3);
  size_t next = 0;
  const std::vector<std::string> ids = ListAll(request, [&] {
    if (next < 6) SubmitJob(MakeRecipe("late"));
    Cancel(submitted[next++]);
  });
  ASSERT_GE(ids.size(), submitted.size());
  EXPECT_TRUE(std::equal(submitted.begin(), submitted.end(), ids.begin()));
  EXPECT_THAT(std::set<std::string>(ids.begin(), ids.end()), SizeIs(ids.size()));
}

TEST_F(ListingTest, NewestFirstGoesBackwardsAndFiltersHoldOverPages) {
  for (int i = 0; i < 6; ++i) SubmitJob(MakeRecipe());
  Cancel("job-4");
  v1::ListJobsRequest request;
  request.set_page_size(2);
  request.set_newest_first(true);
  request.add_states(v1::QUEUED);
  EXPECT_THAT(ListAll(request, [&] { SubmitJob(MakeRecipe("late")); }),
              ElementsAre("job-6", "job-5", "job-3", "job-2", "job-1"));
}

TEST_F(ListingTest, ChildrenOfOneSweepAreListedAlone) {
  SubmitJob(MakeRecipe());
  const std::string parent = SubmitJob(HeavySweep(5)).id();
  SubmitJob(MakeRecipe());
  v1::ListJobsRequest request;
  request.set_page_size(2);
  request.set_parent_id(parent);
  EXPECT_THAT(ListAll(request), ElementsAre("job-3", "job-4", "job-5", "job-6", "job-7"));
  request.set_newest_first(true);
  EXPECT_THAT(ListAll(request), ElementsAre("job-7", "job-6", "job-5", "job-4", "job-3"));
  request.set_parent_id("job-1");
  EXPECT_THAT(ListAll(request), testing::IsEmpty());
}

TEST_F(ListingTest, AnswersAboutAHeavySweepFitAClientOfUsualLimits) {
  constexpr int kChildren = 400;
  v1::SubmitJobResponse submitted;
  const grpc::Status status = Submit(HeavySweep(kChildren), "", &submitted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(submitted.job().child_ids_size(), kChildren);
  EXPECT_LT(submitted.ByteSizeLong(), 2U << 20);
  v1::ListJobsRequest request;
  EXPECT_FALSE(List(request).next_page_token().empty());
  EXPECT_THAT(ListAll(request), SizeIs(kChildren + 1));
}

TEST_F(ListingTest, LongTextsAreCutInListsAndWholeInGet) {
  TestWorker worker(server_->address(), "a", "a1");
  const std::string id = SubmitJob(MakeRecipe()).id();
  const v1::Assign assign = worker.ExpectAssign();
  v1::WorkerMessage result = ResultMessage(assign, v1::ERROR);
  result.mutable_result()->set_detail(std::string(2'000, 'e'));
  worker.ExpectAck(worker.Send(result));
  const v1::ListJobsResponse list = List(v1::ListJobsRequest());
  ASSERT_THAT(list.jobs(), SizeIs(1));
  EXPECT_LT(list.jobs(0).reason().size(), 400U);
  EXPECT_LT(list.jobs(0).attempts(0).detail().size(), 400U);
  EXPECT_GE(GetJob(id).attempts(0).detail().size(), 2'000U);
}

TEST_F(ListingTest, WhatIsNoTokenIsRefused) {
  v1::ListJobsRequest request;
  v1::ListJobsResponse response;
  for (const char* token : {"x", "-1", "0", "99999999999999999999"}) {
    request.set_page_token(token);
    const grpc::Status status = Call(&v1::Coordinator::Stub::ListJobs, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << token;
  }
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_EQ(Call(&v1::Coordinator::Stub::ListJobs, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ListingTest, PointsComeInPagesEachOnceAndMarkedByAllOfThem) {
  TestWorker worker(server_->address(), "a", "a1");
  for (int i = 0; i < 5; ++i) {
    SubmitJob(MakeRecipe());
    worker.ExpectAck(worker.Send(ResultMessage(worker.ExpectAssign(), v1::COMPLETED, /*accuracy=*/0.1 * (i + 1))));
  }
  v1::ListPointsRequest request;
  request.set_page_size(2);
  std::vector<v1::FrontierPoint> points;
  do {
    v1::ListPointsResponse page;
    ASSERT_TRUE(Call(&v1::Coordinator::Stub::ListPoints, request, &page).ok());
    EXPECT_LE(page.points_size(), 2);
    points.insert(points.end(), page.points().begin(), page.points().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  ASSERT_THAT(points, SizeIs(5));
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].point_id(), "point-" + std::to_string(i + 1));
    EXPECT_EQ(points[i].pareto(), i == 4) << "of as many bytes the most accurate alone";
  }
  for (const char* token : {"x", "-1", "1e3"}) {
    request.set_page_token(token);
    v1::ListPointsResponse page;
    EXPECT_EQ(Call(&v1::Coordinator::Stub::ListPoints, request, &page).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace ridgeline::test
