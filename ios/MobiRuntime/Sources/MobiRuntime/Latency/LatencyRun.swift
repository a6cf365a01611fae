/// One run of one bundle (contract 2, `mobisdk.latency/1`): raw samples, nothing averaged.
///
/// What the system does not tell is nil, never a guess. Durations are nanoseconds of a monotonic clock.
public struct LatencyRun: Equatable, Sendable {
  /// The name of the contract.
  public static let schema = "mobisdk.latency/1"

  /// How the run was taken.
  public enum Mode: String, CaseIterable, Sendable {
    /// The first load and inference of a process that was started for them.
    case cold
    /// A number of samples back to back.
    case burst
    /// Samples back to back for a time, so that throttling shows.
    case sustained
    /// Sampled in a host app, if its developer opts in.
    case production
  }

  /// What the runtime had kept of this artefact before it was loaded.
  public enum CacheState: String, Sendable {
    /// Nothing: this run paid for it.
    case cold
    /// All of it.
    case warm
    /// The runtime does not tell.
    case unknown
  }

  /// A UUID, of this run.
  public var runID: String
  /// A UUID, of the runs that were started together.
  public var sessionID: String
  /// A UUID, drawn when the process starts: the system's own numbers come back.
  public var processID: String
  /// From 0, in the order of the session.
  public var runIndex: Int
  /// RFC 3339 with offset; in production the hour alone.
  public var startedAt: String
  /// How the run was taken.
  public var mode: Mode
  /// The program that measured.
  public var app: AppInfo
  /// Where it ran.
  public var device: Device
  /// What ran.
  public var bundle: BundleRef
  /// What ran it.
  public var runtime: RuntimeInfo
  /// On which units it ran, and who says so.
  public var placement: Placement
  /// The phone's state.
  public var conditions: Conditions
  /// What the runtime had kept of this artefact before.
  public var cacheState: CacheState
  /// Time that Core ML took to compile the package on the phone; nil where nothing was compiled for this run.
  public var compileNs: Int?
  /// Time until the method was ready, not only the file.
  public var loadNs: Int?
  /// Time of the first inference after loading.
  public var firstInferenceNs: Int?
  /// Size of the photograph that preprocessing started from.
  public var sourceImage: SourceImage?
  /// Inferences until times stopped falling.
  public var warmupNs: [Int] = []
  /// A phase that was not run is an empty list.
  public var preprocessNs: [Int] = []
  /// One entry a sample.
  public var inferenceNs: [Int] = []
  /// Top five, one entry a sample.
  public var postprocessNs: [Int] = []
  /// Start of each sample, since the first one's.
  public var sampleAtNs: [Int] = []
  /// The thermal state as it changed.
  public var thermal: [ThermalSample] = []
  /// Peak memory of the process in bytes; nil where several bundles shared it.
  public var peakMemoryBytes: Int?
  /// Charge taken from the battery in microampere-hours; iOS does not tell.
  public var chargeMicroampereHours: Int?
  /// The check of the golden image before timing.
  public var golden: GoldenCheck?
  /// Time by operator, where a profiler tells.
  public var perOp: [OpTime] = []
  /// Words for whoever reads the analysis; none in production.
  public var notes: String?
}

/// The program that measured.
public struct AppInfo: Equatable, Sendable {
  /// Its name.
  public var name: String
  /// Its version, as in `CFBundleShortVersionString`.
  public var version: String
  /// Its build, as in `CFBundleVersion`.
  public var build: String?

  /// Names a program.
  public init(name: String, version: String, build: String?) {
    self.name = name
    self.version = version
    self.build = build
  }
}

/// Where a run was taken.
public struct Device: Equatable, Sendable {
  /// "ios", or the system of a computer: "macos", "linux".
  public var platform: String
  /// "Apple".
  public var manufacturer: String?
  /// The identifier, such as "iPhone16,1".
  public var model: String
  /// The system on a chip, where the system names it.
  public var soc: String?
  /// Such as "18.1".
  public var osVersion: String
  /// Android's alone.
  public var apiLevel: Int?
  /// Processors that the system has.
  public var cpuCores: Int
  /// Physical memory.
  public var memoryBytes: Int?
  /// True in the simulator, whose times say nothing about a phone.
  public var isEmulator: Bool

  /// Describes a device.
  public init(
    platform: String, manufacturer: String?, model: String, soc: String?, osVersion: String, apiLevel: Int?,
    cpuCores: Int, memoryBytes: Int?, isEmulator: Bool
  ) {
    self.platform = platform
    self.manufacturer = manufacturer
    self.model = model
    self.soc = soc
    self.osVersion = osVersion
    self.apiLevel = apiLevel
    self.cpuCores = cpuCores
    self.memoryBytes = memoryBytes
    self.isEmulator = isEmulator
  }
}

/// What ran, as the bundle's manifest names it.
public struct BundleRef: Equatable, Sendable {
  /// SHA-256 that tells this bundle from every other.
  public var bundleID: String
  /// SHA-256 of what latency depends on.
  public var variantID: String
  /// The manifest's ModelSpec, verbatim.
  var spec: [String: JSONValue]?
  /// The architecture, nil for a network of others.
  public var arch: String?
  /// Width multiplier.
  public var alpha: Double?
  /// Input height and width in pixels.
  public var resolution: Int?
  /// How the network was lowered.
  public var recipe: String
  /// Where the weights are from.
  public var weightsSource: WeightsSource
}

/// Where a network's weights are from.
public enum WeightsSource: String, Sendable {
  /// Not trained: right for measuring time, wrong about every photograph.
  case random
  /// Trained by the SDK's user.
  case checkpoint
  /// Downloaded.
  case hub
}

/// What ran a network.
public struct RuntimeInfo: Equatable, Sendable {
  /// "coreml" or "executorch".
  public var name: String
  /// Core ML's version is the system's.
  public var version: String
  /// The backend that the bundle was lowered for.
  public var backendRequested: String?
  /// The Core ML compute units that were asked for.
  public var computeUnits: String?
  /// The process's count; nil where the runtime decides, as Core ML does.
  public var threads: Int?

  /// Names a runtime.
  public init(name: String, version: String, backendRequested: String?, computeUnits: String?, threads: Int?) {
    self.name = name
    self.version = version
    self.backendRequested = backendRequested
    self.computeUnits = computeUnits
    self.threads = threads
  }
}

/// Which share of a network ran on which unit, and who says so.
public struct Placement: Equatable, Sendable {
  /// Who says so.
  public enum Source: String, Sendable {
    /// Core ML's compute plan: a forecast.
    case plan
    /// The artefact itself.
    case methodMetadata = "method_metadata"
    /// A profiler, afterwards.
    case profiler
    /// Nobody.
    case none
  }

  /// Who says so.
  public var source: Source
  /// From unit to share, 0 to 1.
  public var share: [String: Double]

  /// Nobody says.
  public static let unknown = Placement(source: .none, share: [:])

  /// States who says which share ran where.
  public init(source: Source, share: [String: Double]) {
    self.source = source
    self.share = share
  }
}

/// The phone's state around a run.
public struct Conditions: Equatable, Sendable {
  /// 0 to 1.
  public var batteryLevel: Double?
  /// Whether power comes in.
  public var charging: Bool?
  /// Whether the user or the system saves power, which slows every network down.
  public var lowPowerMode: Bool?
  /// Before the first sample.
  public var thermalBefore: ThermalState?
  /// After the last one.
  public var thermalAfter: ThermalState?
  /// The system's own word for `thermalBefore`.
  public var thermalRaw: String?
  /// The battery's temperature; iOS does not tell.
  public var batteryCelsius: Double?
  /// True only if the app was in the foreground from the first sample to the last.
  public var foreground: Bool?

  /// Nothing is known until it is set.
  public init() {}
}

/// Size of an image in pixels.
public struct SourceImage: Equatable, Sendable {
  /// Columns.
  public var width: Int
  /// Rows.
  public var height: Int

  /// Names a size.
  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// The thermal state at a time of a run.
public struct ThermalSample: Equatable, Sendable {
  /// Since the first sample.
  public var atNs: Int
  /// The state from then on.
  public var state: ThermalState
}

/// Whether the golden image gave the manifest's logits here.
public struct GoldenCheck: Equatable, Sendable {
  /// Whether the largest error is within the bundle's tolerance.
  public var passed: Bool
  /// Nil where a logit is not a number.
  public var maxAbsError: Double?
  /// Whether the likeliest class is the same.
  public var top1Matches: Bool
}

/// One operator's time.
public struct OpTime: Equatable, Sendable {
  /// As the profiler names it.
  public var name: String
  /// Its kind, such as "convolution".
  public var kind: String?
  /// Of one inference.
  public var ns: Int
}
