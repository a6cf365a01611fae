/// What a bundle asks of a phone, checked before anything is compiled or loaded.
extension ModelBundle {
  /// Refuses a bundle that this phone cannot run.
  ///
  /// - Parameters:
  ///   - runtime: the runtime that would load it, such as "coreml".
  ///   - runtimeVersion: that runtime's version; nil where it does not tell, which passes any bundle.
  ///   - osVersion: the phone's, such as "18.1".
  ///
  /// Throws `MobiError.unsupported` that names the version to use.
  public func checkRequirements(runtime: String, runtimeVersion: String?, osVersion: String) throws {
    guard manifest.target.platform == .ios else {
      throw MobiError.unsupported(
        "\(manifest.name) is made for another system", got: manifest.target.platform.rawValue, allowed: "ios",
        hint: "Export it with --target ios")
    }
    guard manifest.target.runtime == runtime else {
      throw MobiError.unsupported(
        "\(manifest.name) needs another runtime", got: runtime.shown, allowed: manifest.target.runtime.shown)
    }
    guard let needed = Version(manifest.target.minOS) else {
      throw MobiError.bundle("min_os must be an iOS version", got: manifest.target.minOS.shown, allowed: "such as 17.0")
    }
    if let present = Version(osVersion), present < needed {
      throw MobiError.unsupported(
        "\(manifest.name) needs a newer iOS", got: osVersion, allowed: "iOS \(manifest.target.minOS) or newer",
        hint: "Update this phone, or export with a recipe for iOS \(osVersion)")
    }
    if let least = manifest.target.minRuntime, let needed = Version(least), let runtimeVersion,
      let present = Version(runtimeVersion), present < needed
    {
      throw MobiError.unsupported(
        "\(manifest.name) needs a newer \(runtime)", got: runtimeVersion, allowed: "\(least) or newer",
        hint: "Build the app with \(runtime) \(least)")
    }
  }
}
