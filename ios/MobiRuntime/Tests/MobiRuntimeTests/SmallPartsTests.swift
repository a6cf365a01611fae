import Foundation
import Testing

@testable import MobiRuntime

/// Errors, retries, facts of this computer, and the smallest functions.
@Suite struct SmallPartsTests {
  @Test func anErrorIsOneSentenceForAPerson() {
    let makers: [(String, (String, String?, String?, String?) -> MobiError)] = [
      ("ConfigError", MobiError.config), ("UnsupportedError", MobiError.unsupported), ("DataError", MobiError.data),
      ("BundleError", MobiError.bundle), ("ConversionError", MobiError.conversion),
      ("ParityError", MobiError.parity), ("DeviceError", MobiError.device), ("ServerError", MobiError.server),
    ]
    for (name, make) in makers {
      let error = make("alpha is wrong", "0", "0.25 to 1", "Try 0.5")
      #expect(errorName(error) == name)
      #expect(error.localizedDescription == "alpha is wrong, got 0; allowed: 0.25 to 1. Try 0.5")
      #expect(make("alpha is wrong", nil, nil, nil).errorDescription == "alpha is wrong")
    }
  }

  @Test func textsOfOthersAreQuotedOnOneLineAndCut() {
    #expect("a\nb\u{202e}".shown == "'a\\u{a}b\\u{202e}'")
    let long = String(repeating: "x", count: 201)
    #expect(long.shown == "'\(String(repeating: "x", count: 200))…' (201 characters)")
  }

  @Test func waitsGrowAreBoundedAndRespectTheServer() async throws {
    let waits = Collected<Duration>()
    let policy = RetryPolicy(attempts: 9, sleep: { waits.add($0) }, random: { 0.5 })
    for number in [1, 2, 3, 20] { try await policy.wait(before: number, atLeastSeconds: nil) }
    try await policy.wait(before: 1, atLeastSeconds: 30)
    #expect(waits.items == [.seconds(1), .seconds(2), .seconds(4), .seconds(30), .seconds(31)])
    #expect(RetryPolicy.standard.attempts == 6)
  }

  @Test func factsOfThisComputerAreTrueOrNil() async throws {
    let monitor = ForegroundMonitor(isForeground: true)
    let facts = HostFacts(app: AppInfo(name: "test", version: "1", build: nil), foreground: monitor)
    #expect(facts.device.cpuCores >= 1)
    #expect(!facts.device.model.isEmpty && !facts.device.osVersion.isEmpty)
    #expect(!facts.device.isEmulator)
    #expect(facts.readForeground() == .init(isForeground: true, departures: 0))
    try await facts.waitForForeground()
    #expect(try #require(facts.readPeakMemory()) > 1_000_000)
    #if os(Linux)
      #expect(facts.device.platform == "linux" && facts.device.manufacturer == nil)
      #expect(facts.readConditions() == Conditions() && facts.readThermalState() == nil)
    #endif
  }

  @Test func theClockNeverFalls() {
    let times = (0..<1000).map { _ in MonotonicClock.continuous.now() }
    #expect(times == times.sorted())
    #expect(Duration.seconds(2.5).nanoseconds == 2_500_000_000)
  }

  @Test func topClassesAreOrderedAndTiesGoToTheSmallerClass() {
    let best = topK([1, 3, 3, 2, -1, 0], count: 3)
    #expect(best.map(\.index) == [1, 2, 3])
    let total = [1.0, 3, 3, 2, -1, 0].map { Foundation.exp($0) }.reduce(0, +)
    let expected = Foundation.exp(3.0) / total
    #expect(abs(best[0].probability - expected) < 1e-12)
    #expect(topK([]).isEmpty)
  }

  @Test func checksumIsThatOfISO3309() {
    #expect(Gzip.checksum("123456789".utf8) == 0xcbf4_3926)
  }

  @Test func jsonIsReadStrictly() throws {
    #expect(try JSONParser.parse(#"{"a":[1,-2.5e1,true,null,"é\n\ud83d\ude00"]}"#.utf8).canonical.isEmpty == false)
    let bad = [
      "", "{", "[1,]", "{\"a\" 1}", "{1:2}", "[1 2]", "tru", "01", "1.", "1e", "-", "\"\u{1}\"", "\"\\x\"", "\"abc",
      "\"\\u12g4\"", "1 2", "{\"a\":1,\"a\":2}",
    ]
    for text in bad {
      #expect(throws: JSONError.self, "\(text)") { try JSONParser.parse(text.utf8) }
    }
    let odd = [
      "\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\"", "NaN", "-Infinity", "1e999", "99999999999999999999",
    ]
    for text in odd {
      #expect(throws: JSONError.oddValue(path: "the line"), "\(text)") { try JSONParser.parse(text.utf8) }
    }
    let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
    #expect(throws: JSONError.malformed("it is nested too deeply")) { try JSONParser.parse(deep.utf8) }
  }

  @Test func textsAreWrittenAsPythonWritesThem() throws {
    let value = JSONValue.object(["b": .string("\"\\\u{8}\t\n\u{c}\r\u{1}é"), "a": .array([.bool(true), .null])])
    #expect(String(decoding: value.canonical, as: UTF8.self) == #"{"a":[true,null],"b":"\"\\\b\t\n\f\r\u0001é"}"#)
    #expect(JSONValue(Double.infinity) == .null)
  }

  /// Apple refuses apps whose code uses an interface that the privacy manifest does not give a reason for.
  @Test func privacyManifestNamesWhatTheCodeUsesAndNothingElse() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Sources/MobiRuntime")
    let files = try FileManager.default.subpathsOfDirectory(atPath: sources.path).filter { $0.hasSuffix(".swift") }
    let code = try files.map { try String(contentsOf: sources.appendingPathComponent($0), encoding: .utf8) }.joined()
    let categories = [
      "FileTimestamp": ["modificationDate", "creationDate", "ModificationDateKey", "fstat(", "getattrlist"],
      "SystemBootTime": ["systemUptime", "mach_absolute_time"],
      "DiskSpace": ["volumeAvailableCapacity", "systemFreeSize", "systemSize", "statfs", "statvfs"],
      "ActiveKeyboards": ["activeInputModes"], "UserDefaults": ["UserDefaults", "@AppStorage"],
    ]
    let used = categories.filter { $0.value.contains { code.contains($0) } }.keys.sorted()
    let manifest = try PropertyListSerialization.propertyList(
      from: Data(contentsOf: sources.appendingPathComponent("PrivacyInfo.xcprivacy")), format: nil)
    let document = try #require(manifest as? [String: Any])
    let accessed = try #require(document["NSPrivacyAccessedAPITypes"] as? [[String: Any]])
    let prefix = "NSPrivacyAccessedAPICategory"
    let named = accessed.compactMap { $0["NSPrivacyAccessedAPIType"] as? String }.map { $0.dropFirst(prefix.count) }
    #expect(named.map(String.init).sorted() == used)
    #expect(document["NSPrivacyTracking"] as? Bool == false)
    #expect((document["NSPrivacyCollectedDataTypes"] as? [Any])?.isEmpty == true)
  }
}
