import Foundation
import Testing

@testable import MobiRuntime

/// Bundles that come, stay, are used and go.
@Suite struct BundleStoreTests {
  private let scratch: ScratchFolder
  private let folder: URL

  init() throws {
    scratch = try ScratchFolder()
    folder = scratch.url.appendingPathComponent("bundles")
  }

  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }.sorted()
  }

  @Test func aBundleIsCopiedWholeUnderItsName() async throws {
    let (android, ios) = try (ContractFiles.androidBundle(), ContractFiles.iosBundle())
    let store = BundleStore(at: folder)
    #expect(try await store.list().bundles.isEmpty)
    let placed = try await store.add(from: ios.directory)
    #expect(placed.manifest == ios.manifest)
    #expect(placed.directory.lastPathComponent == ios.manifest.name)
    _ = try await store.add(from: android.directory)
    #expect(try names() == [android.manifest.name, ios.manifest.name].sorted())
    #expect(try await store.add(from: ios.directory).directory == placed.directory)
    #expect(try await store.list().bundles.count == 2)
  }

  @Test func aDamagedBundleIsNotTakenAndADamagedFolderIsListedAndReplaced() async throws {
    let ios = try ContractFiles.iosBundle()
    let bad = scratch.url.appendingPathComponent("bad")
    try FileManager.default.copyItem(at: ios.directory, to: bad)
    let labels = bad.appendingPathComponent("labels.txt")
    try Data("dog\ncat\n".utf8).write(to: labels)
    let store = BundleStore(at: folder)
    let error = await thrownError { try await store.add(from: bad) }
    #expect(error?.description.hasPrefix("labels.txt is damaged") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    let placed = try await store.add(from: ios.directory)
    try FileManager.default.removeItem(at: placed.directory.appendingPathComponent("labels.txt"))
    let damaged = try await store.list().damaged
    #expect(damaged.map(\.name) == [ios.manifest.name])
    #expect(damaged.first?.error.description.contains("lacks a file") == true)
    try await store.add(from: ios.directory).verifyFiles()
  }

  @Test func theBundleThatWasNotUsedForLongestMakesRoom() async throws {
    let (android, ios) = try (ContractFiles.androidBundle(), ContractFiles.iosBundle())
    let sizes = [android, ios].map { $0.manifest.files.values.reduce(0) { $0 + $1.sizeBytes } }
    let store = BundleStore(at: folder, largestBytes: sizes[0] + sizes[1] - 1)
    let placed = try await store.add(from: ios.directory)
    _ = try await store.add(from: android.directory)
    #expect(try names() == [android.manifest.name])
    let gone = mobiError { _ = try placed.goldenInput() }
    #expect(gone?.text.contains("cannot be read any more") == true)
    #expect(gone?.text.hasSuffix("Add the bundle again") == true)
    let small = BundleStore(at: folder, largestBytes: 10)
    let error = await thrownError { try await small.add(from: ios.directory) }
    #expect(error?.description.contains("is larger than this app keeps") == true)
    #expect(try names() == [android.manifest.name])
  }

  @Test func usingABundleKeepsIt() async throws {
    let (android, ios) = try (ContractFiles.androidBundle(), ContractFiles.iosBundle())
    let other = try ModelBundle.open(BundleContractTests.prepareCase("good_network_without_spec", in: scratch))
    let sizes = [android, ios, other].map { $0.manifest.files.values.reduce(0) { $0 + $1.sizeBytes } }
    let store = BundleStore(at: folder, largestBytes: sizes.reduce(0, +) - 1)
    let first = try await store.add(from: ios.directory)
    let second = try await store.add(from: android.directory)
    // Marks of another time, as if hours lay between them: the file system's clock is coarse.
    for (bundle, age) in [(first, 7200.0), (second, 3600.0)] {
      let mark = folder.appendingPathComponent(".used-" + bundle.directory.lastPathComponent)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: mark.path)
    }
    try await store.touch(first)
    let third = try await store.add(from: other.directory)
    #expect(try names() == [first, third].map(\.directory.lastPathComponent).sorted())
  }

  @Test func aBundleOfAnotherPlaceIsNotRemoved() async throws {
    let ios = try ContractFiles.iosBundle()
    let error = await thrownError { try await BundleStore(at: folder).remove(ios) }
    #expect(error.map(errorName) == "ConfigError")
    #expect(FileManager.default.fileExists(atPath: ios.directory.path))
  }

  @Test func whatAKillLeftInTheMiddleOfACopyIsWrittenOver() async throws {
    let left = folder.appendingPathComponent(".partial-copy")
    try FileManager.default.createDirectory(at: left, withIntermediateDirectories: true)
    try Data("half".utf8).write(to: left.appendingPathComponent("model.pte"))
    let store = BundleStore(at: folder)
    _ = try await store.add(from: try ContractFiles.iosBundle().directory)
    #expect(!FileManager.default.fileExists(atPath: left.path))
    #expect(try await store.list().damaged.isEmpty)
  }

  @Test func aStoreThatCannotBeMadeIsSaid() async throws {
    try Data().write(to: folder)  // a file where the folder should be
    let error = await thrownError { try await BundleStore(at: folder).add(from: ContractFiles.iosBundle().directory) }
    #expect(error.map(errorName) == "DeviceError")
    #expect(error?.description.hasPrefix("the bundle cannot be stored") == true)
  }
}
