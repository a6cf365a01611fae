import Foundation

/// What a bundle says of itself (contract 1, `mobisdk.bundle/1`): the part of manifest.json that a phone needs.
///
/// Everything in the file was checked, and keys that are unknown here are tolerated.
public struct Manifest: Equatable, Sendable {
  /// The name of the contract.
  public static let schema = "mobisdk.bundle/1"
  static let fileName = "manifest.json"
  static let largestBytes = 1024 * 1024

  /// SHA-256 that tells this bundle from every other.
  public let bundleID: String
  /// SHA-256 of what latency depends on: shape, recipe and toolchain, without weights.
  public let variantID: String
  /// The network.
  public let model: Model
  /// Where it runs.
  public let target: Target
  /// What it takes.
  public let input: Input
  /// What it gives.
  public let output: Output
  /// Multiply-adds that the backend takes.
  public let delegatedMacs: Int
  /// Largest error of a logit of the golden image that a phone may show.
  public let goldenTolerance: Double
  /// Every file but manifest.json, by its path in the bundle.
  public let files: [String: FileEntry]

  /// The network.
  public struct Model: Equatable, Sendable {
    /// The ModelSpec, verbatim; nil for a network of others.
    let spec: [String: JSONValue]?
    /// The architecture, nil for a network of others.
    public let arch: String?
    /// Width multiplier.
    public let alpha: Double?
    /// Input height and width in pixels.
    public let resolution: Int?
    /// Number of logits.
    public let numClasses: Int
    /// Number of parameters.
    public let params: Int
    /// Multiply-adds of one inference.
    public let macs: Int
    /// Where the weights are from.
    public let weightsSource: WeightsSource
  }

  /// Where the bundle runs, and how the network was lowered for it.
  public struct Target: Equatable, Sendable {
    /// A phone's system.
    public enum Platform: String, Sendable {
      /// Google's.
      case android
      /// Apple's.
      case ios
    }

    /// The phone's system.
    public let platform: Platform
    /// "coreml", "executorch", or one that is younger than this library.
    public let runtime: String
    /// How the network was lowered, such as "coreml_fp16".
    public let recipe: String
    /// What the recipe hands the graph to.
    public let backend: String
    /// The smallest iOS version, or Android API level.
    public let minOS: String
    /// The Core ML compute units to ask for.
    public let computeUnits: String?
    /// The smallest version of the runtime that can load the artefact; nil where any can.
    public let minRuntime: String?
  }

  /// What the artefact takes.
  public struct Input: Equatable, Sendable {
    /// How the artefact wants its pixels.
    public enum Kind: String, Sendable {
      /// (1,3,H,W) numbers in [0,1].
      case tensor
      /// A pixel buffer.
      case image
    }

    /// The type of a tensor's numbers.
    public enum DataType: String, Sendable {
      /// 32-bit floating point, in [0,1].
      case float32
      /// Bytes.
      case uint8
    }

    /// The input's name in the artefact.
    public let name: String
    /// How the artefact wants its pixels.
    public let kind: Kind
    /// Rows.
    public let height: Int
    /// Columns.
    public let width: Int
    /// The type of a tensor's numbers.
    public let dataType: DataType
    /// The shorter side after resizing, in pixels.
    public let resize: Int
    /// The square that is cut out of the centre, in pixels.
    public let crop: Int
  }

  /// What the artefact gives.
  public struct Output: Equatable, Sendable {
    /// What was applied to the logits.
    public enum Activation: String, Sendable {
      /// Nothing.
      case logits
      /// Softmax.
      case softmax
    }

    /// The type of the numbers.
    public enum DataType: String, Sendable {
      /// 32-bit floating point.
      case float32
      /// 16-bit floating point.
      case float16
    }

    /// The output's name in the artefact.
    public let name: String
    /// (N, classes).
    public let shape: [Int]
    /// The type of the numbers.
    public let dataType: DataType
    /// What was applied to the logits.
    public let activation: Activation
  }

  /// A file of the bundle.
  public struct FileEntry: Equatable, Sendable {
    /// 64 hexadecimal digits.
    public let sha256: String
    /// Its length.
    public let sizeBytes: Int
  }

  /// `<arch>-a<alpha>-r<resolution>-<recipe>-<first 8 of bundle_id>`: the folder's name.
  public var name: String {
    var parts = [model.arch ?? "module"]
    if let alpha = model.alpha { parts.append("a\(Self.shortest(alpha))") }
    parts += ["r\(input.height)", target.recipe, String(bundleID.prefix(8))]
    return parts.joined(separator: "-")
  }

  /// Bytes of the model alone: what the network adds to an app.
  public var modelSizeBytes: Int {
    files.reduce(0) { $1.key.hasPrefix("model.") ? $0 + $1.value.sizeBytes : $0 }
  }

  /// Share of the multiply-adds that the backend takes, 0 to 1.
  public var delegatedShare: Double {
    model.macs > 0 ? Double(delegatedMacs) / Double(model.macs) : 1
  }

  /// Six significant digits and no trailing zero, as Python's `:g`.
  private static func shortest(_ number: Double) -> String {
    String(format: "%g", number)
  }
}
