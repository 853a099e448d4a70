// SPDX-License-Identifier: Apache-2.0
// /metrics as Prometheus sees it, during and after a job.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <cmath>

#include "coordinator/rpc/test_cluster.h"
#include "recipes/model_label.h"

namespace ridgeline::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class MetricsTest : public ClusterTest {
 protected:
  MetricsTest() { options_.metrics = "127.0.0.1:0"; }
  // A plain HTTP/1.0 GET.
  std::string Scrape() {
    const std::string& address = server_->metrics_address();
    const size_t colon = address.rfind(':');
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    std::string answer;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0) {
      const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
      send(fd, request.data(), request.size(), 0);
      char buffer[4096];
      for (ssize_t n = 0; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, n);
    }
    close(fd);
    return answer;
  }
};

TEST_F(MetricsTest, JobsCountForTheirQueueAndAQueuesSeriesBeginAtNone) {
  v1::SetQueueRequest request;
  request.set_name("large");
  v1::Queue queue;
  ASSERT_TRUE(Call(&v1::Coordinator::Stub::SetQueue, request, &queue).ok());
  EXPECT_THAT(Scrape(), HasSubstr("ridgeline_jobs_finished_total{outcome=\"failed\",queue=\"large\"} 0"));
  TestWorker worker(server_->address(), "a", "a1");
  v1::Recipe recipe = MakeRecipe();
  recipe.set_queue("large");
  const v1::Job job = SubmitJob(recipe);
  const v1::Assign assign = worker.ExpectAssign();
  worker.ExpectAck(worker.Send(MetricsMessage(assign, 1, 1)));
  worker.ExpectAck(worker.Send(ResultMessage(assign, v1::ERROR)));
  ASSERT_TRUE(WaitForState(job.id(), v1::FAILED));
  const std::string after = Scrape();
  for (const char* line :
       {"ridgeline_jobs{queue=\"large\",state=\"failed\"} 1", "ridgeline_jobs{queue=\"default\",state=\"failed\"} 0",
        "ridgeline_jobs{queue=\"large\",state=\"paused\"} 0", "ridgeline_queue_wait_seconds_count{queue=\"large\"} 1",
        "ridgeline_train_step_duration_seconds_count{phase=\"total\",queue=\"large\"} 1",
        "ridgeline_jobs_finished_total{outcome=\"failed\",queue=\"large\"} 1",
        "ridgeline_jobs_finished_total{outcome=\"failed\",queue=\"default\"} 0"})
    EXPECT_THAT(after, HasSubstr(line));
}

TEST_F(MetricsTest, RunningJobShowsItsSeriesAndLosesThemAfterItsEnd) {
  TestWorker worker(server_->address(), "a", "a1", /*ranks=*/2);
  v1::Recipe recipe = MakeRecipe("nano");
  recipe.mutable_quant()->set_estimator("ridge");
  recipe.mutable_quant()->mutable_weight()->set_format("int1");
  recipe.mutable_quant()->mutable_activation()->set_format("int1");
  SubmitJob(recipe);
  const v1::Assign assign = worker.ExpectAssign();
  worker.Heartbeat(/*memory_used_bytes=*/12345);
  const v1::WorkerMessage metrics = MetricsMessage(assign, 1, 50);
  worker.ExpectAck(worker.Send(metrics));
  worker.ExpectAck(worker.Send(metrics));  // A duplicate is not observed twice.
  worker.ExpectAck(worker.Send(CheckpointMessage(assign, 50)));

  const std::string during = Scrape();
  for (const char* line : {
           "ridgeline_build_info{version=\"" RIDGELINE_VERSION "\"} 1",
           "ridgeline_rpc_requests_total{code=\"OK\",method=\"SubmitJob\"} 1",
           "ridgeline_rpc_duration_seconds_count{method=\"SubmitJob\"} 1",
           "ridgeline_journal_commit_duration_seconds_count 3",
           "ridgeline_journal_size_bytes ",
           "ridgeline_jobs{queue=\"default\",state=\"running\"} 1",
           "ridgeline_jobs{queue=\"default\",state=\"queued\"} 0",
           "ridgeline_queue_wait_seconds_count{queue=\"default\"} 1",
           "ridgeline_scheduler_cycle_duration_seconds_count ",
           "ridgeline_ranks{pool=\"default\",state=\"busy\"} 2",
           "ridgeline_ranks{pool=\"default\",state=\"idle\"} 0",
           "ridgeline_worker_last_heartbeat_timestamp_seconds{worker=\"a\"} ",
           "ridgeline_device_memory_used_bytes{worker=\"a\"} 12345",
           "ridgeline_job_info{job_id=\"job-1\",name=\"nano\",model=\"gpt-nano\",scheme=\"ridge affine "
           "int1/int1\",queue=\"default\"} 1",
           "ridgeline_train_step{job_id=\"job-1\"} 50",
           "ridgeline_train_progress_ratio{job_id=\"job-1\"} 0.5",
           "ridgeline_train_eta_timestamp_seconds{job_id=\"job-1\"} ",
           "ridgeline_train_loss{job_id=\"job-1\",split=\"train\"} 3",
           "ridgeline_train_loss{job_id=\"job-1\",split=\"validation\"} 3.1",
           "ridgeline_train_loss{job_id=\"job-1\",split=\"second\"} 3.4",
           "ridgeline_train_distill_divergence{job_id=\"job-1\"} 0.25",
           "ridgeline_train_grad_norm{job_id=\"job-1\"} 0.7",
           "ridgeline_train_tokens_total{job_id=\"job-1\"} 76800",
           "ridgeline_train_nonfinite_steps_total{job_id=\"job-1\"} 0",
           "ridgeline_quant_error_ratio{job_id=\"job-1\"} 0.3",
           "ridgeline_checkpoint_last_success_timestamp_seconds{job_id=\"job-1\"} 1700000000",
           "ridgeline_train_step_duration_seconds_count{phase=\"total\",queue=\"default\"} 50",
           "ridgeline_train_step_duration_seconds_count{phase=\"forward_backward\",queue=\"default\"} 50",
           "ridgeline_train_step_duration_seconds_count{phase=\"collective\",queue=\"default\"} 50",
           "ridgeline_train_step_duration_seconds_count{phase=\"optimizer\",queue=\"default\"} 50",
       }) {
    EXPECT_THAT(during, HasSubstr(line));
  }

  worker.ExpectAck(worker.Send(ResultMessage(assign, v1::COMPLETED)));
  const std::string after = Scrape();
  EXPECT_THAT(after, HasSubstr("ridgeline_jobs_finished_total{outcome=\"succeeded\",queue=\"default\"} 1"));
  EXPECT_THAT(after, HasSubstr("ridgeline_train_step{job_id=\"job-1\"} 50")) << "stays for a while";
  EXPECT_THAT(after, HasSubstr("ridgeline_frontier_accuracy_ratio{point_id=\"point-1\",model=\"gpt-nano\",scheme="
                               "\"ridge affine int1/int1\"} 0.4"));
  EXPECT_THAT(after, HasSubstr("ridgeline_frontier_storage_bytes{point_id=\"point-1\""));
  EXPECT_THAT(after, HasSubstr("ridgeline_frontier_points{model=\"gpt-nano\",benchmark=\"bible\"} 1"));

  clock_.JumpWall(options_.series_grace_ms + 1);
  EXPECT_THAT(Scrape(), Not(HasSubstr("job_id=\"job-1\"")));
}

TEST_F(MetricsTest, RestartsAreCountedByReason) {
  SubmitJob(MakeRecipe());
  TestWorker first(server_->address(), "a", "a1");
  const v1::Assign assign = first.ExpectAssign();
  first.ExpectAck(first.Send(ResultMessage(assign, v1::PREEMPTED)));
  TestWorker second(server_->address(), "b", "b1");
  second.ExpectAssign();
  TestWorker third(server_->address(), "b", "b2");
  third.ExpectAssign();
  const std::string answer = Scrape();
  EXPECT_THAT(answer, HasSubstr("ridgeline_job_restarts_total{queue=\"default\",reason=\"preempted\"} 1"));
  EXPECT_THAT(answer, HasSubstr("ridgeline_job_restarts_total{queue=\"default\",reason=\"lost\"} 1"));
}

TEST_F(MetricsTest, RefusedRecordsAreCountedByReason) {
  TestWorker holder(server_->address(), "a", "a1");
  SubmitJob(MakeRecipe());
  const v1::Assign assign = holder.ExpectAssign();
  TestWorker foreign(server_->address(), "b", "b1");
  foreign.ExpectAck(foreign.Send(MetricsMessage(assign, 1, 1)));
  foreign.ExpectAck(foreign.Send(ResultMessage(assign, v1::COMPLETED)));
  holder.ExpectAck(holder.Send(CheckpointMessage(assign, 1'000'000)));
  holder.ExpectAck(holder.Send(ResultMessage(assign, v1::COMPLETED)));
  holder.ExpectAck(holder.Send(MetricsMessage(assign, 1, 1)));
  const std::string answer = Scrape();
  EXPECT_THAT(answer, HasSubstr("ridgeline_worker_records_refused_total{reason=\"foreign\"} 2"));
  EXPECT_THAT(answer, HasSubstr("ridgeline_worker_records_refused_total{reason=\"invalid\"} 1"));
  EXPECT_THAT(answer, HasSubstr("ridgeline_worker_records_refused_total{reason=\"stale\"} 1"));
}

TEST_F(MetricsTest, CollectivesAreSummedOverGroupsAndTheirStarts) {
  SubmitJob(MakeRecipe());
  TestWorker first(server_->address(), "a", "a1");
  const v1::Assign assign = first.ExpectAssign();
  // What was before the first heartbeat is not counted: after a restart it would be counted again.
  first.Heartbeat(0, {MakeCount("all_reduce", 10, 1'000, 0.5)});
  first.Heartbeat(0, {MakeCount("all_reduce", 14, 5'000, 1.5), MakeCount("barrier", 1, 2, 0.25)});
  first.ExpectAck(first.Send(MetricsMessage(assign, 1, 1)));
  TestWorker again(server_->address(), "a", "a2");
  again.Heartbeat(0, {});
  again.Heartbeat(0, {MakeCount("all_reduce", 1, 300, 0.125)});
  TestWorker other(server_->address(), "b", "b1");
  other.Heartbeat();
  other.Heartbeat(0, {MakeCount("all_gather", 7, 70, 0.5)});
  EXPECT_TRUE(WaitUntil([&] {
    const std::string answer = Scrape();
    return answer.find("ridgeline_collective_bytes_total{op=\"all_reduce\"} 4300\n") != std::string::npos &&
           answer.find("ridgeline_collective_bytes_total{op=\"all_gather\"} 70\n") != std::string::npos;
  })) << Scrape();
  const std::string answer = Scrape();
  for (const char* line : {
           "# TYPE ridgeline_collective_bytes_total counter\n",
           "# TYPE ridgeline_collective_duration_seconds summary\n",
           "ridgeline_collective_duration_seconds_count{op=\"all_reduce\"} 5\n",
           "ridgeline_collective_duration_seconds_sum{op=\"all_reduce\"} 1.125\n",
           "ridgeline_collective_bytes_total{op=\"barrier\"} 2\n",
           "ridgeline_collective_duration_seconds_count{op=\"broadcast\"} 0\n",
       })
    EXPECT_THAT(answer, HasSubstr(line));
}

TEST_F(MetricsTest, CollectivesThatCannotHaveBeenCountedAreRefused) {
  SubmitJob(MakeRecipe());
  TestWorker worker(server_->address(), "a", "a1");
  const v1::Assign assign = worker.ExpectAssign();
  worker.Heartbeat(0, {});
  worker.Heartbeat(0, {MakeCount("all_reduce", 2, 100, 0.5)});
  const std::vector<std::vector<v1::CollectiveCount>> bad = {
      {MakeCount("all_reduce", 3, 99, 1)},
      {MakeCount("all_reduce", 3, 200, 0.25)},
      {},
      {MakeCount("all_reduce", 3, 200, std::nan(""))},
      {MakeCount("all_reduce", 3, 200, HUGE_VAL)},
      {MakeCount("all_reduce", 3, 200, 1), MakeCount("all_reduce", 3, 200, 1)},
      {MakeCount("all_reduce", 3, 200, 1), MakeCount("gossip", 1, 1, 1)},
      {MakeCount("all_reduce", 3, 200, 1), MakeCount("barrier", -1, 1, 1)},
  };
  for (const std::vector<v1::CollectiveCount>& counts : bad) worker.Heartbeat(0, counts);
  worker.Heartbeat(77, {MakeCount("all_reduce", 4, 300, 1)});
  worker.ExpectAck(worker.Send(MetricsMessage(assign, 1, 1)));
  const std::string answer = Scrape();
  EXPECT_THAT(answer, HasSubstr("ridgeline_worker_records_refused_total{reason=\"invalid\"} 8\n"));
  EXPECT_THAT(answer, HasSubstr("ridgeline_collective_bytes_total{op=\"all_reduce\"} 300\n"));
  EXPECT_THAT(answer, HasSubstr("ridgeline_collective_duration_seconds_count{op=\"all_reduce\"} 4\n"));
  EXPECT_THAT(answer, HasSubstr("ridgeline_device_memory_used_bytes{worker=\"a\"} 77\n"));
}

TEST_F(MetricsTest, MemoryInUseIsThatOfTheGpusWhereAGroupHasThem) {
  const std::vector<v1::Device> gpus(2, MakeDevice("cuda", 1'000)), cpus(2, MakeDevice("cpu", 1'000));
  TestWorker on_gpus(server_->address(), "g", "g1", /*ranks=*/2, "", 0, gpus);
  TestWorker on_cpus(server_->address(), "c", "c1", /*ranks=*/2, "", 0, cpus);
  on_gpus.Heartbeat(7, {}, /*device_memory_used_bytes=*/900);
  on_cpus.Heartbeat(8, {}, /*device_memory_used_bytes=*/900);
  EXPECT_TRUE(WaitUntil([&] {
    const std::string answer = Scrape();
    return answer.find("ridgeline_device_memory_used_bytes{worker=\"g\"} 900\n") != std::string::npos &&
           answer.find("ridgeline_device_memory_used_bytes{worker=\"c\"} 8\n") != std::string::npos;
  })) << Scrape();
}

// Two series of one job, joined as a dashboard would: on (model).
TEST_F(MetricsTest, ModelIsCalledTheSameInJobsAndPoints) {
  TestWorker worker(server_->address(), "a", "a1");
  v1::Recipe recipe = MakeRecipe();
  recipe.mutable_model()->set_path("/models/deep/gemma3-270m.gguf");
  SubmitJob(recipe);
  const v1::Assign assign = worker.ExpectAssign();
  v1::WorkerMessage result = ResultMessage(assign, v1::COMPLETED);
  result.mutable_result()->mutable_point()->set_model(ModelLabel(assign.recipe()));
  worker.ExpectAck(worker.Send(result));
  const std::string answer = Scrape();
  const std::string model = "model=\"gemma3-270m.gguf\"";
  EXPECT_THAT(answer, testing::ContainsRegex("ridgeline_job_info[^\n]*" + model));
  EXPECT_THAT(answer, testing::ContainsRegex("ridgeline_frontier_accuracy_ratio[^\n]*" + model));
  EXPECT_THAT(answer, testing::ContainsRegex("ridgeline_frontier_points[^\n]*" + model));
}

}  // namespace
}  // namespace ridgeline::test
