import Foundation
import MobiRuntime

extension AppModel {
  /// Copies a bundle that was chosen in Files and checks every byte.
  func addBundle(from source: URL) {
    perform(.addingBundle) { [self] in
      let isScoped = source.startAccessingSecurityScopedResource()
      defer { if isScoped { source.stopAccessingSecurityScopedResource() } }
      try ModelBundle.requireDownloaded(source)
      _ = try await store.add(from: source)
      await reload()
    }
  }

  /// Removes a bundle and what Core ML made of it.
  func removeBundle(_ bundle: ModelBundle) {
    perform(.addingBundle) { [self] in
      try await store.remove(bundle)
      try CompiledModelStore.inCaches().remove(bundle.manifest.bundleID)
      await reload()
    }
  }

  /// Classifies a photograph's file with a bundle.
  func classify(_ photo: Data, with bundle: ModelBundle) {
    classification = nil
    perform(.classifying) { [self] in
      classification = try await Self.classify(photo, with: bundle)
      try await store.touch(bundle)
    }
  }

  /// Off the main actor: decoding a large photograph takes a while.
  private nonisolated static func classify(_ photo: Data, with bundle: ModelBundle) async throws -> Classification {
    let image = try decodePhoto(photo)
    let photos = try PhotoClassifier(bundle, try await open(bundle, units: nil))
    return try await photos.classify(image)
  }
}
