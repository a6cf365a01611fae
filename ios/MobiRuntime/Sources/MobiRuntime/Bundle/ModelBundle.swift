import Foundation

/// A bundle's folder: a network with everything that a phone needs to run, check and measure it.
///
///     let bundle = try ModelBundle.open(folder)
///     let classifier = try await CoreMLClassifier(bundle)
///     let predictions = try classifier.classify(photo)
public struct ModelBundle: Equatable, Sendable {
  static let goldenImageName = "golden_image.png"
  static let goldenInputName = "golden_input.u8"
  static let goldenOutputName = "golden_output.f32"
  static let labelsName = "labels.txt"
  private static let modelNames = ["model.pte", "model.mlpackage"]

  /// Where it lies.
  public let directory: URL
  /// What it says of itself.
  public let manifest: Manifest

  /// Reads a bundle's folder: the manifest with its hashes, then names, kinds and sizes, before any byte of a model.
  ///
  /// Throws `MobiError.bundle`: it is no bundle, or differs from its manifest in any of these. `verifyFiles` reads
  /// every byte.
  public static func open(_ directory: URL) throws -> ModelBundle {
    guard kind(of: directory) == .typeDirectory else {
      let hint = directory.pathExtension == "zip" ? "Unpack the zip file first" : "See mobisdk export"
      throw MobiError.bundle("a bundle must be a folder", got: directory.path.shown, hint: hint)
    }
    let manifestURL = directory.appendingPathComponent(Manifest.fileName)
    guard kind(of: manifestURL) == .typeRegular else {
      throw MobiError.bundle(
        "there is no \(Manifest.fileName) in this folder", got: directory.path.shown, hint: "See mobisdk export")
    }
    do {
      let file = try FileHandle(forReadingFrom: manifestURL)
      defer { try? file.close() }
      let manifest = try Manifest(parsing: Array(try file.read(upToCount: Manifest.largestBytes + 1) ?? Data()))
      try BundleListing.checkNames(manifest.files.keys)
      try BundleListing.checkFolder(directory, against: manifest.files)
      return ModelBundle(directory: directory, manifest: manifest)
    } catch let error as CocoaError {
      throw MobiError.bundle("the bundle cannot be read: \(error.localizedDescription)", got: directory.path.shown)
    }
  }

  /// Compares the SHA-256 of every file with the manifest.
  ///
  /// Throws `MobiError.bundle` that names the first file that differs or is gone.
  public func verifyFiles() throws {
    for (name, expected) in manifest.files.sorted(by: { $0.key < $1.key }) {
      guard try read(name, { try SHA256.hexDigest(ofFileAt: $0) }) == expected.sha256 else {
        throw MobiError.bundle(
          "\(name) is damaged: its SHA-256 is not the manifest's", hint: "Copy the bundle again")
      }
    }
  }

  /// The `.pte` file or the `.mlpackage` folder.
  public var modelURL: URL {
    get throws {
      let tops = Self.modelNames.filter { top in
        manifest.files.keys.contains { $0.split(separator: "/").first.map(String.init) == top }
      }
      guard tops.count == 1 else {
        throw MobiError.bundle("a bundle must hold model.pte or model.mlpackage", got: "\(tops)")
      }
      return directory.appendingPathComponent(tops[0])
    }
  }

  /// The label of each logit.
  public func labels() throws -> [String] {
    let text = String(decoding: try content(of: Self.labelsName), as: UTF8.self)
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  /// The golden photograph, before preprocessing.
  public var goldenImageURL: URL { directory.appendingPathComponent(Self.goldenImageName) }

  /// The preprocessed golden image, (H,W,3) uint8.
  ///
  /// Throws `MobiError.bundle` where the file has not the size that the input's shape asks for.
  public func goldenInput() throws -> [UInt8] {
    let pixels = manifest.input.height.multipliedReportingOverflow(by: manifest.input.width)
    let size = pixels.partialValue.multipliedReportingOverflow(by: 3)
    let content = try content(of: Self.goldenInputName)
    guard !pixels.overflow, !size.overflow, content.count == size.partialValue else {
      throw MobiError.bundle(
        "\(Self.goldenInputName) must hold \(manifest.input.height)×\(manifest.input.width)×3 bytes",
        got: "\(content.count)")
    }
    return Array(content)
  }

  /// The network's logits for the golden image.
  ///
  /// Throws `MobiError.bundle` where the file has not one number a class.
  public func goldenOutput() throws -> [Float] {
    let content = try content(of: Self.goldenOutputName)
    guard content.count.isMultiple(of: 4), content.count / 4 == manifest.model.numClasses else {
      throw MobiError.bundle(
        "\(Self.goldenOutputName) must hold \(manifest.model.numClasses) values of <f4", got: "\(content.count / 4)")
    }
    let bytes = Array(content)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
      return Float(bitPattern: bits)
    }
  }

  private func content(of name: String) throws -> Data {
    guard manifest.files[name] != nil else { throw MobiError.bundle("a bundle must hold \(name)") }
    return try read(name) { try Data(contentsOf: $0) }
  }

  /// A bundle may be removed while it is in use: that is said, not crashed on.
  private func read<Value>(_ name: String, _ body: (URL) throws -> Value) throws -> Value {
    do {
      return try body(directory.appendingPathComponent(name))
    } catch let error as CocoaError {
      throw MobiError.bundle(
        "\(name) cannot be read any more: \(error.localizedDescription)", hint: "Add the bundle again")
    }
  }

  private static func kind(of url: URL) -> FileAttributeType? {
    try? FileManager.default.attributesOfItem(atPath: url.path)[.type] as? FileAttributeType
  }
}
