import Foundation

/// The bundles on this phone: each in a folder of its own, whole or not there at all.
public actor BundleStore {
  private static let partialPrefix = ".partial-"
  private static let usedName = ".used"

  private let folder: URL
  private let largestBytes: Int
  private var coming: Set<String> = []

  /// - Parameters:
  ///   - folder: made if it is not there.
  ///   - largestBytes: bundles that were not used for longest are removed where a new one would pass this.
  public init(at folder: URL, largestBytes: Int = 2 << 30) {
    self.folder = folder
    self.largestBytes = largestBytes
  }

  /// A folder that is no bundle any more, and why.
  public struct Damaged: Equatable, Sendable {
    /// The folder's name.
    public let name: String
    /// What is wrong with it.
    public let error: MobiError
  }

  /// What lies here, by name.
  public func list() throws -> (bundles: [ModelBundle], damaged: [Damaged]) {
    var bundles: [ModelBundle] = []
    var damaged: [Damaged] = []
    for name in try folderNames() where !name.hasPrefix(".") {
      do {
        bundles.append(try ModelBundle.open(folder.appendingPathComponent(name, isDirectory: true)))
      } catch let error as MobiError {
        damaged.append(Damaged(name: name, error: error))
      }
    }
    return (bundles, damaged)
  }

  /// Copies a bundle's folder or zip file, from Files or the app itself, and checks every byte.
  ///
  /// Throws `MobiError.bundle`, `MobiError.device`; nothing is left here then.
  public func add(from source: URL) throws -> ModelBundle {
    let partial = folder.appendingPathComponent(Self.partialPrefix + "copy")  // what a kill left is written over
    do {
      try makeFolder()
      try? FileManager.default.removeItem(at: partial)
      defer { try? FileManager.default.removeItem(at: partial) }
      if source.pathExtension.lowercased() == "zip" {
        try ZippedBundle(at: source).unpack(to: partial)
      } else {
        try copy(try ModelBundle.open(source), to: partial)
      }
      return try place(partial)
    } catch {
      throw Self.describe(error)
    }
  }

  /// Fetches a bundle from the lab server; a transfer that broke off, even by a kill, is gone on with next time.
  ///
  /// Throws `MobiError`.
  public func download(
    _ bundleID: String, from client: LabClient, retry: RetryPolicy = .standard,
    onProgress: @Sendable (_ share: Double) -> Void = { _ in }
  ) async throws -> ModelBundle {
    guard bundleID.utf8.count == 64, bundleID.utf8.allSatisfy(\.isHexDigit), bundleID.lowercased() == bundleID
    else { throw MobiError.config("a bundle_id is 64 hexadecimal digits", got: bundleID.shown) }
    if let known = try list().bundles.first(where: { $0.manifest.bundleID == bundleID }) { return known }
    guard coming.insert(bundleID).inserted else {
      throw MobiError.config("this bundle is being downloaded already", hint: "Wait until it is here")
    }
    defer { coming.remove(bundleID) }
    let partial = folder.appendingPathComponent(Self.partialPrefix + bundleID)
    do {
      try makeFolder()
      try await BundleDownload(client: client, retry: retry, bundleID: bundleID, folder: partial)
        .run(onProgress: onProgress)
      return try place(partial)
    } catch {
      throw Self.describe(error)
    }
  }

  /// Removes a bundle; one that is in use says so at its next read.
  public func remove(_ bundle: ModelBundle) throws {
    guard bundle.directory.deletingLastPathComponent().standardizedFileURL.path == folder.standardizedFileURL.path
    else {
      throw MobiError.config("this bundle is not of this store", got: bundle.directory.path.shown)
    }
    try FileManager.default.removeItem(at: bundle.directory)
    try? FileManager.default.removeItem(at: usedMark(of: bundle.directory.lastPathComponent))
  }

  /// Notes that a bundle is being used, so that others are removed before it.
  public func touch(_ bundle: ModelBundle) throws {
    try Data().write(to: usedMark(of: bundle.directory.lastPathComponent))
  }

  /// Moves a folder to its place if every byte of it is right; a folder that is wrong is removed.
  private func place(_ partial: URL) throws -> ModelBundle {
    do {
      let bundle = try ModelBundle.open(partial)
      try bundle.verifyFiles()
      let final = folder.appendingPathComponent(bundle.manifest.name, isDirectory: true)
      if let twin = try? ModelBundle.open(final), twin.manifest.bundleID == bundle.manifest.bundleID,
        (try? twin.verifyFiles()) != nil
      {
        try FileManager.default.removeItem(at: partial)
        return twin
      }
      try makeRoom(for: bundle.manifest)
      try? FileManager.default.removeItem(at: final)
      try FileManager.default.moveItem(at: partial, to: final)
      let placed = try ModelBundle.open(final)
      try touch(placed)
      return placed
    } catch {
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
  }

  private func copy(_ bundle: ModelBundle, to partial: URL) throws {
    for name in [Manifest.fileName] + bundle.manifest.files.keys {
      let target = partial.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: bundle.directory.appendingPathComponent(name), to: target)
    }
  }

  /// Removes bundles that were not used for longest, until the new one fits.
  private func makeRoom(for manifest: Manifest) throws {
    let needed = Self.size(of: manifest)
    guard needed <= largestBytes else {
      throw MobiError.device(
        "\(manifest.name) is larger than this app keeps", got: "\(needed) bytes", allowed: "\(largestBytes) bytes")
    }
    var bundles = try list().bundles.map { ($0, lastUsed($0)) }.sorted { $0.1 < $1.1 }.map(\.0)
    var total = bundles.reduce(0) { $0 + Self.size(of: $1.manifest) }
    while total + needed > largestBytes, let oldest = bundles.first {
      try remove(oldest)
      total -= Self.size(of: oldest.manifest)
      bundles.removeFirst()
    }
  }

  private static func describe(_ error: any Error) -> any Error {
    switch error {
    case let refusal as LabRefusal: refusal.error
    case is MobiError, is CancellationError: error
    default:
      MobiError.device(
        "the bundle cannot be stored: \(error.localizedDescription)", hint: "Free some space and try again")
    }
  }

  private static func size(of manifest: Manifest) -> Int {
    manifest.files.values.reduce(0) { $0 + $1.sizeBytes }
  }

  private func lastUsed(_ bundle: ModelBundle) -> Date {
    let path = usedMark(of: bundle.directory.lastPathComponent).path
    return (try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date) ?? .distantPast
  }

  private func usedMark(of name: String) -> URL {
    folder.appendingPathComponent(Self.usedName + "-" + name)
  }

  private func makeFolder() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func folderNames() throws -> [String] {
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }
}
