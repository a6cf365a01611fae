/// Classifies one photograph back to back. All memory that a sample touches was taken before the first one.
struct TimedSection {
  private static let classesKept = 5

  private let classifier: any Classifier
  private let image: RGBAImage
  private let clock: MonotonicClock
  private var preprocessor: Preprocessor
  private var pixels: [UInt8] = []
  private var logits: [Float]
  private var best: [Prediction] = []

  init(_ classifier: any Classifier, _ image: RGBAImage, _ bundle: ModelBundle, _ clock: MonotonicClock) throws {
    self.classifier = classifier
    self.image = image
    self.clock = clock
    preprocessor = try Preprocessor(bundle.manifest.input)
    logits = [Float](repeating: 0, count: bundle.manifest.model.numClasses)
    best.reserveCapacity(Self.classesKept + 1)
  }

  /// Adds samples until `isOver(samples, elapsedNs)`, at least one.
  ///
  /// Returns false where `isInterrupted` after a sample, which is dropped: call it again to go on. Throws
  /// `CancellationError`, asked after every sample.
  mutating func fill(
    _ samples: inout Samples, unless isInterrupted: () -> Bool,
    until isOver: (borrowing Samples, _ elapsedNs: Int) -> Bool
  ) throws -> Bool {
    var begun = clock.now()
    let first = samples.firstNs ?? begun
    samples.firstNs = first
    while true {
      try preprocessor.preprocess(image, into: &pixels)
      try classifier.prepare(pixels)
      let ready = clock.now()
      try classifier.forward(into: &logits)
      let ran = clock.now()
      selectTop(Self.classesKept, of: logits, into: &best)
      let done = clock.now()
      try Task.checkCancellation()
      if isInterrupted() { return false }
      samples.append(preprocess: ready - begun, inference: ran - ready, postprocess: done - ran, at: begun - first)
      if isOver(samples, done - first) { return true }
      begun = clock.now()
    }
  }
}
