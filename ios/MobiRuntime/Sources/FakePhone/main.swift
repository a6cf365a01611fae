import Foundation
import MobiRuntime

// A phone without a network of its own, for tests on a computer:
//   FakePhone lab PORT CODE FOLDER      joins the lab server on this computer, fetches its bundles, measures, uploads
//   FakePhone cold BUNDLE               one cold start, as a line of a log on standard output
//   FakePhone measure [--check]         what the runner and the preprocessor cost; with --check the allocations alone
// It may be killed at any time and started again.
do {
  switch Array(CommandLine.arguments.dropFirst()) {
  case let words where words.count == 4 && words[0] == "lab":
    try await FakePhone(port: Int(words[1]) ?? 0, folder: URL(fileURLWithPath: words[3])).visitLab(code: words[2])
  case let words where words.count == 2 && words[0] == "cold":
    let bundle = try ModelBundle.open(URL(fileURLWithPath: words[1]))
    try say(await FakePhone.makeRunner(try BenchConfig()).runCold(bundle).jsonLine())
  case ["measure"]: try await Measurements.run(withTimes: true)
  case ["measure", "--check"]: try await Measurements.run(withTimes: false)
  default: throw MobiError.config("what should it do?", allowed: "lab PORT CODE FOLDER, cold BUNDLE, measure [--check]")
  }
} catch {
  FileHandle.standardError.write(Data("Error: \(error.localizedDescription)\n".utf8))
  exit(1)
}
