// SPDX-License-Identifier: Apache-2.0
// What a coordinator sends, made such that no text in it steers the terminal that it is shown on.
#pragma once

#include <google/protobuf/message.h>

namespace ridgeline {

// Every text field, in messages within it and in maps too, becomes Printable.
void MakePrintable(google::protobuf::Message* message);

}  // namespace ridgeline
