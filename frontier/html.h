// SPDX-License-Identifier: Apache-2.0
// Text of others on its way into HTML or SVG.
#pragma once

#include <string>
#include <string_view>

namespace ridgeline {

// For element content and quoted attributes: & < > " ' become entities. Control characters, overrides of writing
// direction and bytes that are not UTF-8 become '?' (Printable).
std::string Html(std::string_view text);

}  // namespace ridgeline
