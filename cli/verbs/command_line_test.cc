// SPDX-License-Identifier: Apache-2.0
// What holds for every verb and option that the command line declares, those to come included.
#include "cli/verbs/command_line.h"

#include <gmock/gmock.h>

#include <functional>
#include <regex>

#include "common/number_option.h"
#include "fmt/ranges.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct CommandLine {
  CommandLine() : app("", "ridgeline") { DeclareCommandLine(&app, &session); }
  Session session;
  CLI::App app;
};

struct Verb {
  std::vector<std::string> path;  // {"frontier", "export"}
  const CLI::App* app;
  std::string Name() const { return fmt::format("{}", fmt::join(path, " ")); }
};

bool IsShown(const CLI::App* app) { return !app->get_group().empty(); }

std::vector<const CLI::App*> Children(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void Collect(const CLI::App& app, std::vector<std::string> path, std::vector<Verb>* verbs) {
  for (const CLI::App* child : Children(app)) {
    path.push_back(child->get_name());
    verbs->push_back({path, child});
    Collect(*child, path, verbs);
    path.pop_back();
  }
}

std::vector<Verb> AllVerbs(const CommandLine& line) {
  std::vector<Verb> verbs;
  Collect(line.app, {}, &verbs);
  return verbs;
}

std::vector<Verb> ShownVerbs(const CommandLine& line) {
  std::vector<Verb> verbs = AllVerbs(line);
  std::erase_if(verbs, [](const Verb& verb) { return !IsShown(verb.app); });
  return verbs;
}

// A line of a shell into words: blanks part them, quotes hold them together.
std::vector<std::string> Words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (char c : line + " ") {
    if (quote != 0 || c == '\'' || c == '"') {
      if (quote == 0) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  return words;
}

// What follows "ridgeline" in a verb's example; empty if it has none.
std::vector<std::string> ExampleOf(const CLI::App& verb) {
  std::smatch match;
  const std::string footer = verb.get_footer();
  if (!std::regex_search(footer, match, std::regex("Example:\n  [^\n]*\\bridgeline ([^\n)]*)"))) return {};
  return Words(match[1]);
}

// The exception's text, or "" if all is well.
std::string ParseError(std::vector<std::string> words) {
  CommandLine line;
  std::reverse(words.begin(), words.end());  // As CLI11 takes them.
  try {
    line.app.parse(words);
  } catch (const CLI::ParseError& error) {
    return fmt::format("{}: {}", error.get_name(), error.what());
  }
  return "";
}

TEST(CommandLine, EveryVerbHasHelpWithAnExample) {
  CommandLine line;
  const std::vector<Verb> verbs = ShownVerbs(line);
  EXPECT_GT(verbs.size(), 25u);
  for (const Verb& verb : verbs) {
    EXPECT_THAT(verb.app->get_description(), testing::Not(IsEmpty())) << verb.Name();
    EXPECT_THAT(ExampleOf(*verb.app), testing::Not(IsEmpty())) << verb.Name();
    EXPECT_THAT(verb.app->help(), HasSubstr("Example:\n  ")) << verb.Name();
    for (const CLI::Option* option : verb.app->get_options()) {
      EXPECT_THAT(option->get_description(), testing::Not(IsEmpty())) << verb.Name() << " " << option->get_name();
    }
  }
}

TEST(CommandLine, EveryExampleIsOneOfItsVerb) {
  CommandLine line;
  for (const Verb& verb : ShownVerbs(line)) {
    const std::vector<std::string> words = ExampleOf(*verb.app);
    EXPECT_EQ(ParseError(words), "") << verb.Name();
    ASSERT_GE(words.size(), verb.path.size()) << verb.Name();
    EXPECT_TRUE(std::equal(verb.path.begin(), verb.path.end(), words.begin())) << verb.Name();
  }
}

bool TakesNumbers(const CLI::Option* option) {
  try {
    return const_cast<CLI::Option*>(option)->get_validator(kNumberCheck) != nullptr;
  } catch (const CLI::OptionNotFound&) {
    return false;
  }
}

// How "--option=value" after the verb is taken. What else the verb requires comes later.
std::string ErrorOf(const Verb& verb, const CLI::Option* option, const std::string& value) {
  std::vector<std::string> words = verb.path;
  words.push_back(option->get_name(false, false) + "=" + value);
  return ParseError(words);
}

bool IsValueError(const std::string& error) {
  return error.starts_with("ValidationError") || error.starts_with("ConversionError") ||
         error.starts_with("ArgumentMismatch");
}

TEST(CommandLine, EveryNumericOptionRefusesWhatIsNoNumberOfItsRange) {
  CommandLine line;
  int numeric = 0;
  for (const Verb& verb : AllVerbs(line)) {
    for (const CLI::Option* option : verb.app->get_options()) {
      if (!TakesNumbers(option)) continue;
      ++numeric;
      for (const char* value : {"nan", "-nan", "inf", "-inf", "1e999", "-1e999", "99999999999999999999", "", "x", "1x",
                                "0x", "--", "9223372036854775808", "18446744073709551616"}) {
        const std::string error = ErrorOf(verb, option, value);
        EXPECT_TRUE(IsValueError(error)) << verb.Name() << " " << option->get_name() << "=" << value << ": " << error;
      }
      const std::string error = ErrorOf(verb, option, "nan");
      EXPECT_THAT(error, HasSubstr(option->get_name(false, false)));
      EXPECT_THAT(error, HasSubstr("'nan' is not a ")) << verb.Name();
      EXPECT_TRUE(error.find(" from ") != std::string::npos || error.find("(for instance ") != std::string::npos)
          << error;
    }
  }
  EXPECT_GE(numeric, 14);
}

TEST(CommandLine, OnlyPrioritiesMayBeNegative) {
  CommandLine line;
  for (const Verb& verb : AllVerbs(line)) {
    for (const CLI::Option* option : verb.app->get_options()) {
      if (!TakesNumbers(option)) continue;
      EXPECT_EQ(IsValueError(ErrorOf(verb, option, "-1")), option->get_name() != "--priority")
          << verb.Name() << " " << option->get_name();
    }
  }
}

// An option that CLI11 turns into a number by itself has no range: it must be one of those above.
TEST(CommandLine, NoOptionTakesNumbersWithoutARange) {
  CommandLine line;
  for (const Verb& verb : AllVerbs(line)) {
    for (const CLI::Option* option : verb.app->get_options()) {
      if (TakesNumbers(option) || option->get_expected_max() == 0 || !option->nonpositional()) continue;
      const bool converts = ErrorOf(verb, option, "words").starts_with("ConversionError");
      const bool is_flag_value = !ErrorOf(verb, option, "true").starts_with("ConversionError");
      EXPECT_FALSE(converts && !is_flag_value) << verb.Name() << " " << option->get_name();
    }
  }
}

}  // namespace
}  // namespace ridgeline
