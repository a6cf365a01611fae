import Foundation
import Testing

@testable import MobiRuntime

/// What a bundle tells, and what it asks of a phone.
@Suite struct ModelBundleTests {
  private let scratch: ScratchFolder
  private let bundle: ModelBundle

  init() throws {
    scratch = try ScratchFolder()
    let copy = scratch.url.appendingPathComponent("bundle")
    try FileManager.default.copyItem(at: ContractFiles.iosBundle().directory, to: copy)
    bundle = try ModelBundle.open(copy)
  }

  private func overwrite(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: bundle.directory.appendingPathComponent(name))
  }

  @Test func itTellsWhatItHolds() throws {
    #expect(try bundle.labels() == ["cat", "dog"])
    #expect(try bundle.goldenOutput() == [1.5, -0.25])
    #expect(try bundle.goldenInput().count == 192)
    #expect(try bundle.modelURL.lastPathComponent == "model.mlpackage")
    #expect(bundle.manifest.modelSizeBytes == 192)
    #expect(bundle.manifest.name.hasPrefix("mobilenet_v1-a0.25-r8-coreml_fp16-"))
    #expect((0...1).contains(bundle.manifest.delegatedShare))
  }

  @Test func goldenFilesOfAnotherSizeAreRefused() throws {
    try overwrite("golden_input.u8", "short")
    try overwrite("golden_output.f32", "five!")
    #expect(mobiError { _ = try bundle.goldenInput() }?.text == "golden_input.u8 must hold 8×8×3 bytes, got 5")
    #expect(mobiError { _ = try bundle.goldenOutput() }?.kind == "BundleError")
  }

  @Test func aFileThatIsStillInICloudIsSaid() throws {
    let original = bundle.directory.appendingPathComponent("labels.txt")
    try FileManager.default.removeItem(at: original)
    try overwrite(".labels.txt.icloud", "")
    let error = mobiError { _ = try ModelBundle.open(bundle.directory) }
    #expect(error?.text.hasPrefix("'labels.txt' is still in iCloud") == true)
    #expect(error?.text.hasSuffix("choose Download Now") == true)
  }

  @Test func whatIsNoBundleIsSaidWithTheNextStep() throws {
    let zip = scratch.url.appendingPathComponent("bundle.zip")
    try Data().write(to: zip)
    #expect(mobiError { _ = try ModelBundle.open(zip) }?.text.hasSuffix("Unpack the zip file first") == true)
    #expect(mobiError { _ = try ModelBundle.open(scratch.url) }?.text.hasPrefix("there is no manifest.json") == true)
  }

  @Test func aPhoneThatCannotRunItIsToldBeforeAnythingIsCompiled() throws {
    try bundle.checkRequirements(runtime: "coreml", runtimeVersion: nil, osVersion: "16.0")
    try bundle.checkRequirements(runtime: "coreml", runtimeVersion: "18.1", osVersion: "18.1")
    let old = mobiError { try bundle.checkRequirements(runtime: "coreml", runtimeVersion: nil, osVersion: "15.8.2") }
    #expect(old?.kind == "UnsupportedError")
    #expect(old?.text.contains("needs a newer iOS, got 15.8.2; allowed: iOS 16.0 or newer") == true)
    let runtime = mobiError {
      try bundle.checkRequirements(runtime: "executorch", runtimeVersion: "1.4.1", osVersion: "18.1")
    }
    #expect(runtime?.text.contains("needs another runtime") == true)
    let android = try ContractFiles.androidBundle()
    let system = mobiError {
      try android.checkRequirements(runtime: "executorch", runtimeVersion: nil, osVersion: "18")
    }
    #expect(system?.text.contains("made for another system, got android; allowed: ios") == true)
  }

  @Test func versionsAreNumbersBetweenDots() {
    #expect(Version("1.10")! > Version("1.9")!)
    #expect(!(Version("18")! < Version("18.0.0")!))
    for text in ["", "1.", "a", "1.2.3.4.5", "12345", "١"] { #expect(Version(text) == nil) }
  }
}
