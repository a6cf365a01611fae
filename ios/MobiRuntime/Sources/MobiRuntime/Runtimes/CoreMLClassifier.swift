#if canImport(CoreML)
  import CoreML
  import Foundation

  /// A bundle's `.mlpackage` on Core ML: compiled on the phone once a build of iOS, then loaded and run.
  ///
  /// Compile, load and first prediction are timed apart. `forward` is the synchronous prediction.
  public final class CoreMLClassifier: Classifier, @unchecked Sendable {
    /// "coreml"; its version is the system's.
    public let runtime: RuntimeInfo
    private let bundle: ModelBundle
    private let units: ComputeUnits
    private let entry: CompiledModelStore.Entry
    private var loaded: (model: MLModel, input: CoreMLInput)?

    /// Compiles the package where no compiled form is kept.
    ///
    /// - Parameters:
    ///   - units: what to ask for; nil takes what the manifest asks for.
    ///   - store: keeps compiled models; nil takes the app's caches.
    ///
    /// Throws `MobiError.unsupported` where the bundle needs a newer iOS or another runtime, before anything is
    /// compiled, and what `CompiledModelStore` throws.
    public init(
      _ bundle: ModelBundle, units: ComputeUnits? = nil, store: CompiledModelStore? = nil,
      clock: MonotonicClock = .continuous
    ) async throws {
      let system = ProcessInfo.processInfo.operatingSystemVersion
      let version = "\(system.majorVersion).\(system.minorVersion).\(system.patchVersion)"
      try bundle.checkRequirements(runtime: "coreml", runtimeVersion: version, osVersion: version)
      let units = try units ?? ComputeUnits(bundle.manifest.target)
      let store = try store ?? CompiledModelStore.inCaches()
      self.bundle = bundle
      self.units = units
      runtime = RuntimeInfo(
        name: "coreml", version: version, backendRequested: bundle.manifest.target.backend,
        computeUnits: units.rawValue, threads: nil)
      entry = try await store.entry(for: bundle, units: units, clock: clock) { try await MLModel.compileModel(at: $0) }
      cacheState = entry.cacheState
    }

    /// Time that compiling took; nil where it was kept from before.
    public var compileNs: Int? { entry.compileNs }

    /// What was kept of this network before `load`.
    public let cacheState: LatencyRun.CacheState

    /// Core ML's compute plan, a forecast; unknown before iOS 17.4.
    public var readPlacement: @Sendable () async -> Placement {
      let (url, units) = (entry.url, units)
      return { await CoreMLForecast.shared.read(url, units) }
    }

    /// Loads the compiled model for the units that were asked for.
    ///
    /// Throws `MobiError.conversion` where Core ML refuses it, `MobiError.bundle` where its input is not the manifest's.
    public func load() throws {
      let model: MLModel
      do {
        model = try MLModel(contentsOf: entry.url, configuration: units.makeConfiguration())
      } catch {
        throw MobiError.conversion(
          "Core ML cannot load \(bundle.manifest.name): \(error.localizedDescription)",
          hint: "Try other compute units, or a smaller variant")
      }
      loaded = (model, try CoreMLInput(bundle.manifest.input, of: model.modelDescription))
      entry.noteLoaded()
    }

    /// Writes the pixels into the pixel buffer or the multiarray that the model takes.
    public func prepare(_ pixels: [UInt8]) throws {
      try requireLoaded().input.write(pixels)
    }

    /// Predicts, and copies the logits out.
    ///
    /// Throws `MobiError.device` where Core ML gives up, `MobiError.parity` where the output is not one logit a class.
    public func forward(into logits: inout [Float]) throws {
      let (model, input) = try requireLoaded()
      // A task's thread empties its pool late: a long run would keep every output until then.
      try autoreleasepool {
        let output: any MLFeatureProvider
        do {
          output = try model.prediction(from: input.provider)
        } catch {
          throw MobiError.device(
            "Core ML cannot run \(bundle.manifest.name): \(error.localizedDescription)",
            hint: "In the background the GPU is refused: keep the app open, or try other compute units")
        }
        let name = bundle.manifest.output.name
        guard let array = output.featureValue(for: name)?.multiArrayValue, array.count == logits.count else {
          throw MobiError.parity(
            "\(bundle.manifest.name) must give \(logits.count) logits as \(name.shown)",
            got: "\(output.featureNames.sorted())")
        }
        array.copyFloats(into: &logits)
      }
    }

    /// Frees the model.
    public func close() {
      loaded = nil
    }

    private func requireLoaded() throws -> (model: MLModel, input: CoreMLInput) {
      guard let loaded else { throw MobiError.config("a classifier must be loaded before it runs") }
      return loaded
    }
  }

  extension ComputeUnits {
    func makeConfiguration() -> MLModelConfiguration {
      let configuration = MLModelConfiguration()
      configuration.computeUnits =
        switch self {
        case .all: .all
        case .cpuAndNeuralEngine: .cpuAndNeuralEngine
        case .cpuAndGPU: .cpuAndGPU
        case .cpuOnly: .cpuOnly
        }
      return configuration
    }
  }

  extension CompiledModelStore {
    /// In the app's caches, which no backup takes and the system may empty.
    public static func inCaches() throws -> CompiledModelStore {
      let caches = try FileManager.default.url(
        for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
      return CompiledModelStore(
        at: caches.appendingPathComponent("mobisdk-coreml"),
        osBuild: ProcessInfo.processInfo.operatingSystemVersionString)
    }
  }

  extension MLMultiArray {
    /// One number a class, in their order; of float32, what our recipes give, straight from memory.
    fileprivate func copyFloats(into logits: inout [Float]) {
      guard dataType == .float32 else {
        for index in logits.indices { logits[index] = self[index].floatValue }
        return
      }
      let step = strides.last?.intValue ?? 1
      withUnsafeBytes { bytes in
        for index in logits.indices {
          logits[index] = bytes.load(fromByteOffset: index * step * MemoryLayout<Float>.stride, as: Float.self)
        }
      }
    }
  }
#endif
