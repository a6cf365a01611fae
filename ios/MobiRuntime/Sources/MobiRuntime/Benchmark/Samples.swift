/// The timed section: sample after sample, and when warming up is over.
struct Samples {
  static let window = 5
  /// A window whose median is below this share of the one before is still getting faster.
  static let stillFalling = 0.98

  private(set) var preprocessNs: [Int] = []
  private(set) var inferenceNs: [Int] = []
  private(set) var postprocessNs: [Int] = []
  /// Since the first sample's start.
  private(set) var sampleAtNs: [Int] = []

  /// The clock when the first sample began; a pause does not set it back.
  var firstNs: Int?

  var count: Int { inferenceNs.count }

  /// Memory for `capacity` samples is taken before the first one, so that no sample pays for it.
  init(capacity: Int) {
    preprocessNs.reserveCapacity(capacity)
    inferenceNs.reserveCapacity(capacity)
    postprocessNs.reserveCapacity(capacity)
    sampleAtNs.reserveCapacity(capacity)
  }

  mutating func append(preprocess: Int, inference: Int, postprocess: Int, at: Int) {
    preprocessNs.append(preprocess)
    inferenceNs.append(inference)
    postprocessNs.append(postprocess)
    sampleAtNs.append(at)
  }

  /// Whether times stopped falling: the median of the last window against that of the window before.
  ///
  /// The same rule as the Python SDK's; it sorts ten numbers in place, and allocates nothing.
  var isWarm: Bool {
    guard count >= 2 * Self.window else { return false }
    let before = medianOfWindow(from: count - 2 * Self.window)
    return Double(medianOfWindow(from: count - Self.window)) >= Self.stillFalling * Double(before)
  }

  /// The third smallest of five: the one that has two others before it, ties broken by place.
  private func medianOfWindow(from start: Int) -> Int {
    let end = start + Self.window
    for candidate in start..<end {
      var smaller = 0
      for other in start..<end
      where inferenceNs[other] < inferenceNs[candidate]
        || inferenceNs[other] == inferenceNs[candidate] && other < candidate
      {
        smaller += 1
      }
      if smaller == Self.window / 2 { return inferenceNs[candidate] }
    }
    return inferenceNs[start]
  }
}
