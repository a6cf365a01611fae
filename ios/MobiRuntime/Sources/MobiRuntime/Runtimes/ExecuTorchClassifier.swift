#if canImport(ExecuTorch)
  import ExecuTorch
  import Foundation

  /// A bundle's `.pte` on ExecuTorch.
  public final class ExecuTorchClassifier: Classifier, @unchecked Sendable {
    /// "executorch".
    public let runtime: RuntimeInfo
    private let bundle: ModelBundle
    private let module: Module
    /// (1,3,H,W) in [0,1]; the tensor reads it where it lies.
    private let input: UnsafeMutablePointer<Float>
    private let tensor: Tensor<Float>

    /// - Parameter version: of the ExecuTorch that the app links, such as "1.4.1": the library does not tell.
    ///
    /// Throws `MobiError.unsupported` where the bundle needs a newer iOS, a newer ExecuTorch or another input.
    public init(_ bundle: ModelBundle, version: String) throws {
      let system = ProcessInfo.processInfo.operatingSystemVersion
      try bundle.checkRequirements(
        runtime: "executorch", runtimeVersion: version, osVersion: "\(system.majorVersion).\(system.minorVersion)")
      try bundle.verifyFiles()
      let spec = bundle.manifest.input
      guard spec.kind == .tensor, spec.dataType == .float32 else {
        throw MobiError.unsupported(
          "ExecuTorch takes no such input", got: "\(spec.kind.rawValue) \(spec.dataType.rawValue)",
          allowed: "tensor float32", hint: "Export with an ExecuTorch recipe")
      }
      self.bundle = bundle
      runtime = RuntimeInfo(
        name: "executorch", version: version, backendRequested: bundle.manifest.target.backend, computeUnits: nil,
        threads: nil)
      module = Module(filePath: try bundle.modelURL.path)
      input = .allocate(capacity: 3 * spec.height * spec.width)
      input.initialize(repeating: 0, count: 3 * spec.height * spec.width)
      tensor = Tensor<Float>(bytesNoCopy: input, shape: [1, 3, spec.height, spec.width])
    }

    deinit {
      input.deallocate()
    }

    /// Nil: a `.pte` was compiled when it was exported.
    public var compileNs: Int? { nil }

    /// Unknown: backends keep caches of their own and do not tell.
    public var cacheState: LatencyRun.CacheState { .unknown }

    /// What the artefact says of its delegation.
    public var readPlacement: @Sendable () async -> Placement {
      let (backend, share) = (bundle.manifest.target.backend, bundle.manifest.delegatedShare)
      return { Placement(source: .methodMetadata, share: [backend: share, "portable": 1 - share]) }
    }

    /// Loads the program and its `forward`.
    ///
    /// Throws `MobiError.bundle` where ExecuTorch refuses it.
    public func load() throws {
      do {
        try module.load("forward")
      } catch {
        throw MobiError.bundle(
          "ExecuTorch cannot load \(bundle.manifest.name): \(error.localizedDescription)",
          hint: "It must be of ExecuTorch \(runtime.version) or older, and the app must link its backend")
      }
    }

    /// Writes the pixels into the tensor.
    public func prepare(_ pixels: [UInt8]) throws {
      let (width, height) = (bundle.manifest.input.width, bundle.manifest.input.height)
      guard pixels.count == width * height * 3 else {
        throw MobiError.data("pixels must be \(height)×\(width)×3 bytes", got: "\(pixels.count)")
      }
      PixelLayout.writePlanes(
        pixels, width: width, height: height, strides: (channel: width * height, row: width, column: 1), to: input)
    }

    /// Runs `forward`, and copies the logits out.
    ///
    /// Throws `MobiError.device` where ExecuTorch gives up, `MobiError.parity` where the output is not one logit a class.
    public func forward(into logits: inout [Float]) throws {
      let outputs: [Value]
      do {
        outputs = try module.forward(tensor)
      } catch {
        throw MobiError.device("ExecuTorch cannot run \(bundle.manifest.name): \(error.localizedDescription)")
      }
      let output: Tensor<Float>? = outputs.first?.tensor()
      guard outputs.count == 1, let output, output.count == logits.count else {
        throw MobiError.parity(
          "\(bundle.manifest.name) must give \(logits.count) float32 logits", got: "\(outputs.count) outputs")
      }
      output.withUnsafeBytes { values in
        for index in logits.indices { logits[index] = values[index] }
      }
    }

    /// Frees the method.
    public func close() {
      _ = module.unload("forward")
    }
  }
#endif
