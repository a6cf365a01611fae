import Foundation

/// Files that iCloud Drive shows but has not downloaded: reading a bundle of them would call it damaged.
enum CloudPlaceholders {
  private static let placeholderExtension = "icloud"

  /// The names of items in `folder`, at any depth, that are placeholders: iOS keeps `.NAME.icloud` in their place.
  static func find(in folder: URL) -> [String] {
    let paths = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    return paths.compactMap { path in
      let url = URL(fileURLWithPath: path)
      let name = url.deletingPathExtension().lastPathComponent
      guard url.pathExtension == placeholderExtension, name.hasPrefix("."), name.count > 1 else { return nil }
      return String(name.dropFirst())
    }.sorted()
  }
}

extension ModelBundle {
  /// Refuses a folder or zip file in iCloud Drive that is not on this phone yet, and asks the system to download it.
  ///
  /// Throws `MobiError.data` that says what to wait for.
  public static func requireDownloaded(_ source: URL) throws {
    #if canImport(Darwin)
      let status = try? source.resourceValues(forKeys: [.ubiquitousItemDownloadingStatusKey])
      if status?.ubiquitousItemDownloadingStatus == .notDownloaded {
        try? FileManager.default.startDownloadingUbiquitousItem(at: source)
        throw notDownloaded([source.lastPathComponent])
      }
    #endif
    let missing = CloudPlaceholders.find(in: source)
    guard missing.isEmpty else {
      #if canImport(Darwin)
        try? FileManager.default.startDownloadingUbiquitousItem(at: source)
      #endif
      throw notDownloaded(missing)
    }
  }

  private static func notDownloaded(_ names: [String]) -> MobiError {
    .data(
      "the bundle is still in iCloud", got: names.prefix(3).joined(separator: ", ").shown,
      hint: "Its download was asked for: wait until Files shows it whole, then add it again")
  }
}
