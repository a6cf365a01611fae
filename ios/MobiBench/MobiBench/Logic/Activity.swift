/// What the app is doing: one thing at a time, so that nothing disturbs a measurement.
enum Activity: Equatable, Sendable {
  /// Nothing.
  case idle
  /// A bundle is copied from Files and checked.
  case addingBundle
  /// A bundle comes from the lab server; the share of it that is here.
  case downloading(name: String, share: Double)
  /// The person is asked whether this is the right server.
  case confirmingServer(JoinRequest)
  /// The one-time code is exchanged for a token.
  case joining(host: String)
  /// A photograph is classified.
  case classifying
  /// The benchmark runs.
  case benchmarking(BenchmarkState)
  /// The latency log goes to the lab server.
  case uploading
  /// The last thing failed; the sentence stays until it is read.
  case failed(String)

  /// Whether something runs that another thing must not disturb.
  var isBusy: Bool {
    switch self {
    case .idle, .failed, .confirmingServer: false
    case .addingBundle, .downloading, .joining, .classifying, .benchmarking, .uploading: true
    }
  }

  /// The server that is asked about; setting it to nil is a no.
  var joinRequest: JoinRequest? {
    get { if case .confirmingServer(let request) = self { request } else { nil } }
    set { if newValue == nil { dismiss() } }
  }

  /// Whether a failure is still to be read; setting it to false means that it was.
  var isFailed: Bool {
    get { if case .failed = self { true } else { false } }
    set { if !newValue { dismiss() } }
  }

  /// The failure's sentence; empty where there is none.
  var failure: String {
    if case .failed(let sentence) = self { sentence } else { "" }
  }

  /// Begins `next`; false where something runs, which goes on undisturbed.
  mutating func begin(_ next: Activity) -> Bool {
    guard !isBusy else { return false }
    self = next
    return true
  }

  /// Ends what runs. A failure stays until it is read.
  mutating func end() {
    if case .failed = self { return }
    self = .idle
  }

  /// Ends what runs with a sentence that a person can act on.
  mutating func fail(_ sentence: String) {
    self = .failed(sentence)
  }

  /// The failure was read, or the question was answered with no.
  mutating func dismiss() {
    if !isBusy { self = .idle }
  }

  /// Notes how far a download is; nothing where none runs any more.
  mutating func noteDownload(share: Double) {
    guard case .downloading(let name, _) = self else { return }
    self = .downloading(name: name, share: min(max(share, 0), 1))
  }

  /// Changes the benchmark's state; nothing where none runs any more.
  mutating func updateBenchmark(_ change: (inout BenchmarkState) -> Void) {
    guard case .benchmarking(var state) = self else { return }
    change(&state)
    self = .benchmarking(state)
  }
}
