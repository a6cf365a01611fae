import Foundation

/// Times of an app's own classifications, for its developer: a share of them, in a bounded file on the phone.
///
/// There is none unless the app makes one. It holds no image, no answer, no note and no exact time; its ids change
/// daily; and it is handed to the app, which decides where it goes: this library opens no connection.
public actor ProductionLog {
  /// One classification that was drawn.
  struct Sample: Sendable {
    let times: Classification
    let sourceImage: SourceImage
    let bundle: BundleRef
    let runtime: RuntimeInfo
    let cacheState: LatencyRun.CacheState

    init(
      _ times: Classification, of photo: RGBAImage, bundle: ModelBundle, runtime: RuntimeInfo,
      cacheState: LatencyRun.CacheState
    ) {
      self.times = times
      sourceImage = photo.uprightSize
      self.bundle = BundleRef(bundle.manifest)
      self.runtime = runtime
      self.cacheState = cacheState
    }
  }

  /// Ids that live for one day at most, so that no two days can be joined.
  private struct DailyIDs {
    let day: Int
    let session = UUID().uuidString.lowercased()
    let process = UUID().uuidString.lowercased()
    var runs = 0
  }

  /// More would be a burden on the phone.
  public static let largestFileBytes = 16 * 1024 * 1024
  private static let secondsPerDay = 86_400.0

  private let file: LineFile
  private nonisolated let share: Double
  private let largestBytes: Int
  private let facts: any DeviceFacts
  private let readDate: @Sendable () -> Date
  private nonisolated let random: @Sendable () -> Double
  private var ids: DailyIDs?
  /// Why the last line could not be written; nil where it was.
  public private(set) var lastError: MobiError?

  /// - Parameters:
  ///   - url: a file in the app's own storage; made with the first line.
  ///   - share: of the classifications, 0 to 1, that are logged.
  ///   - largestBytes: of the file; where a line would pass it, the older half goes.
  ///   - facts: of the phone, and the app's name.
  ///
  /// Throws `MobiError.config` where `share` or `largestBytes` is out of range.
  public init(at url: URL, share: Double, largestBytes: Int = 1024 * 1024, facts: any DeviceFacts) throws {
    try self.init(
      at: url, share: share, largestBytes: largestBytes, facts: facts, readDate: { Date() },
      random: { .random(in: 0..<1) })
  }

  init(
    at url: URL, share: Double, largestBytes: Int, facts: any DeviceFacts, readDate: @escaping @Sendable () -> Date,
    random: @escaping @Sendable () -> Double
  ) throws {
    guard share >= 0, share <= 1 else {
      throw MobiError.config("share must be a number", got: "\(share)", allowed: "0 to 1", hint: "Try 0.01")
    }
    guard (16_384...Self.largestFileBytes).contains(largestBytes) else {
      throw MobiError.config(
        "largestBytes is out of range", got: "\(largestBytes)", allowed: "16384 to \(Self.largestFileBytes)")
    }
    file = LineFile(url: url)
    self.share = share
    self.largestBytes = largestBytes
    self.facts = facts
    self.readDate = readDate
    self.random = random
  }

  /// Gives every whole line to `take` as JSON Lines, and removes them when it returns; does nothing where there is none.
  ///
  /// Where `take` throws, all lines stay.
  public func handOver(_ take: (Data) throws -> Void) throws {
    let content = try readLines()
    guard !content.isEmpty else { return }
    try take(content)
    try FileManager.default.removeItem(at: file.url)
  }

  /// Decides whether one classification is logged.
  nonisolated func draws() -> Bool {
    random() < share
  }

  /// Adds a line; the system writes it to disk when it likes, so that no inference waits for it.
  func append(_ sample: Sample) {
    do {
      let line = try describe(sample).jsonLine()
      if try sizeOnDisk() + line.count + 1 > largestBytes { try dropOlderHalf() }
      try file.append(line, synchronizing: false)
      lastError = nil
    } catch let error as MobiError {
      lastError = error
    } catch {
      lastError = .device(
        "\(file.url.lastPathComponent) cannot be kept: \(error.localizedDescription)", hint: "Free some space")
    }
  }

  private func describe(_ sample: Sample) -> LatencyRun {
    let now = readDate()
    let day = Int((now.timeIntervalSince1970 / Self.secondsPerDay).rounded(.down))
    var today = ids.flatMap { $0.day == day ? $0 : nil } ?? DailyIDs(day: day)
    defer {
      today.runs += 1
      ids = today
    }
    return LatencyRun(
      runID: UUID().uuidString.lowercased(), sessionID: today.session, processID: today.process, runIndex: today.runs,
      startedAt: Timestamp.formatHour(now), mode: .production, app: facts.app, device: facts.device,
      bundle: sample.bundle, runtime: sample.runtime, placement: .unknown, conditions: facts.readConditions(),
      cacheState: sample.cacheState, sourceImage: sample.sourceImage, preprocessNs: [sample.times.preprocessNs],
      inferenceNs: [sample.times.inferenceNs], postprocessNs: [sample.times.postprocessNs], sampleAtNs: [0])
  }

  private func readLines() throws -> Data {
    guard FileManager.default.fileExists(atPath: file.url.path) else { return Data() }
    let content = try Data(contentsOf: file.url)
    return content.lastIndex(of: UInt8(ascii: "\n")).map { content[...$0] } ?? Data()
  }

  private func dropOlderHalf() throws {
    let content = try readLines()
    let middle = content.startIndex + content.count / 2
    let kept = content[middle...].firstIndex(of: UInt8(ascii: "\n")).map { content[($0 + 1)...] } ?? Data()
    try kept.write(to: file.url, options: .atomic)
  }

  private func sizeOnDisk() throws -> Int {
    guard FileManager.default.fileExists(atPath: file.url.path) else { return 0 }
    return (try FileManager.default.attributesOfItem(atPath: file.url.path)[.size] as? NSNumber)?.intValue ?? 0
  }
}
