// SPDX-License-Identifier: Apache-2.0
#include "net/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using testing::HasSubstr;

TEST(EndpointTest, ReadsHostAndPortAndWritesThemBack) {
  for (const char* text : {"127.0.0.1:7117", "localhost:0", "[::1]:7117", "[fe80::2]:65535", "a-b.example:1"}) {
    const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text, "--listen");
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->ToString(), text);
  }
  EXPECT_EQ(ParseEndpoint("[::1]:7117", "--listen")->host, "::1");
  EXPECT_EQ(ParseEndpoint("[::1]:7117", "--listen")->port, 7117);
}

TEST(EndpointTest, WhatIsNoEndpointIsRefusedWithFlagTextAndRemedy) {
  for (const char* text :
       {"",        ":",          "7117",          "host",          "host:",   ":7117",     "host:65536", "host:-1",
        "host:+1", "host:7117x", "host:1e3",      "::1:7117",      "[::1]",   "[::1]7117", "[host]:1",   "[]:1",
        "ho st:1", "host:7117 ", "http://host:1", "dns:///host:1", "host/:1", "ho\nst:1"}) {
    const absl::Status status = ParseEndpoint(text, "--listen").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("--listen '") + text + "'"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:7117"));
  }
}

TEST(EndpointTest, LoopbackIsDecidedByTheAddressAndNotByHowANameBegins) {
  for (const char* host :
       {"127.0.0.1", "127.255.3.4", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1",
                           "0.0.0.0", "::", "::2", "::ffff:10.0.0.1", "10.0.0.1", "", "127.1", "0127.0.0.1"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace ridgeline
