import Foundation

/// A class by its name, and how likely it is.
public struct LabelledPrediction: Equatable, Sendable {
  /// The bundle's word for the class.
  public var label: String
  /// The class, from 0.
  public var index: Int
  /// Softmax probability.
  public var probability: Double
}

/// What a network says of one photograph, and how long it took.
public struct Classification: Equatable, Sendable {
  /// The likeliest classes, best first.
  public var predictions: [LabelledPrediction]
  /// From pixels to what the network takes.
  public var preprocessNs: Int
  /// The network alone.
  public var inferenceNs: Int
  /// From logits to the likeliest classes.
  public var postprocessNs: Int
}

/// Classifies photographs with one bundle: what an app embeds.
///
///     let bundle = try ModelBundle.open(folder)
///     let photos = try await PhotoClassifier(bundle, CoreMLClassifier(bundle))
///     let predictions = try await photos.classify(photo).predictions
public actor PhotoClassifier {
  private let bundle: ModelBundle
  private let classifier: any Classifier
  private let productionLog: ProductionLog?
  private let labels: [String]
  private let clock: MonotonicClock
  private var preprocessor: Preprocessor
  private var pixels: [UInt8] = []
  private var logits: [Float]

  /// Loads the network.
  ///
  /// - Parameters:
  ///   - classifier: made for `bundle`, and used by nobody else.
  ///   - log: where a share of the times go, if the app's developer wants that; nil: nowhere.
  ///
  /// Throws what `classifier` throws, and `MobiError.bundle`.
  public init(
    _ bundle: ModelBundle, _ classifier: any Classifier, log: ProductionLog? = nil, clock: MonotonicClock = .continuous
  ) throws {
    self.bundle = bundle
    self.classifier = classifier
    productionLog = log
    self.clock = clock
    labels = try bundle.labels()
    guard labels.count == bundle.manifest.model.numClasses else {
      throw MobiError.bundle(
        "\(ModelBundle.labelsName) must have one label a class", got: "\(labels.count)",
        allowed: "\(bundle.manifest.model.numClasses)")
    }
    preprocessor = try Preprocessor(bundle.manifest.input)
    logits = [Float](repeating: 0, count: labels.count)
    ProcessRecord.current.noteLoad()
    try classifier.load()
  }

  deinit {
    classifier.close()
  }

  /// The likeliest classes of a photograph.
  ///
  /// Throws what the classifier throws, and `MobiError.data` where the photograph is too large.
  public func classify(_ photo: RGBAImage, count: Int = 5) throws -> Classification {
    let begun = clock.now()
    try preprocessor.preprocess(photo, into: &pixels)
    try classifier.prepare(pixels)
    let ready = clock.now()
    try classifier.forward(into: &logits)
    let ran = clock.now()
    // topK's own softmax gives shares back as they are if their logarithms go in.
    if bundle.manifest.output.activation == .softmax {
      for index in logits.indices { logits[index] = log(logits[index]) }
    }
    let best = topK(logits, count: count)
    let classification = Classification(
      predictions: best.map { .init(label: labels[$0.index], index: $0.index, probability: $0.probability) },
      preprocessNs: ready - begun, inferenceNs: ran - ready, postprocessNs: clock.now() - ran)
    if let productionLog, productionLog.draws() {
      let sample = ProductionLog.Sample(
        classification, of: photo, bundle: bundle, runtime: classifier.runtime, cacheState: classifier.cacheState)
      Task(priority: .utility) { await productionLog.append(sample) }
    }
    return classification
  }
}
