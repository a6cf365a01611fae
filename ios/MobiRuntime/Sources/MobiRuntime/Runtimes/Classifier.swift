/// One artefact on one runtime: load, forward to logits, close; what the benchmark runs.
///
/// It moves between tasks, and one task at a time uses it. `prepare` turns preprocessed bytes into what the artefact takes and counts as
/// preprocessing; `forward` is what `inferenceNs` times.
public protocol Classifier: AnyObject, Sendable {
  /// Which runtime this is, for the log.
  var runtime: RuntimeInfo { get }

  /// Time that compiling took for this artefact, before `load`; nil where nothing was compiled now.
  var compileNs: Int? { get }

  /// What the runtime had kept of this artefact before.
  var cacheState: LatencyRun.CacheState { get }

  /// Tells on which units the network runs; asked for after timing.
  var readPlacement: @Sendable () async -> Placement { get }

  /// Loads until the method is ready to run, not only the file.
  func load() throws

  /// Takes one (H,W,3) uint8 RGB image, rows from the top.
  func prepare(_ pixels: [UInt8]) throws

  /// Runs the network on the prepared image and overwrites `logits`, which has one place a class.
  func forward(into logits: inout [Float]) throws

  /// Frees what `load` took; safe to call twice.
  func close()
}
