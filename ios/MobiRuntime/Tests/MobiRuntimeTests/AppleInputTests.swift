import Foundation
import Testing

@testable import MobiRuntime

/// What goes into Core ML and what its plan says, as far as no Mac is needed.
@Suite struct AppleInputTests {
  @Test func pixelBuffersHoldOpaqueBGRAInTheirOwnRows() {
    // Two columns, two rows, rows of twelve bytes: the last four belong to the buffer.
    var bytes = [UInt8](repeating: 7, count: 24)
    bytes.withUnsafeMutableBytes { target in
      PixelLayout.writeBGRA(
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], width: 2, height: 2, bytesPerRow: 12, to: target.baseAddress!)
    }
    #expect(bytes == [3, 2, 1, 255, 6, 5, 4, 255, 7, 7, 7, 7, 9, 8, 7, 255, 12, 11, 10, 255, 7, 7, 7, 7])
  }

  @Test func tensorsHoldPlanesInZeroToOne() {
    var planes = [Float](repeating: -1, count: 12)
    planes.withUnsafeMutableBufferPointer { target in
      PixelLayout.writePlanes(
        [0, 51, 102, 153, 204, 255, 255, 0, 51, 102, 153, 204], width: 2, height: 2,
        strides: (channel: 4, row: 2, column: 1), to: target.baseAddress!)
    }
    #expect(planes == [0, 0.6, 1, 0.4, 0.2, 0.8, 0, 0.6, 0.4, 1, 0.2, 0.8])
  }

  @Test func aForecastSharesCostAndCountsOperations() {
    var forecast = PlacementForecast()
    #expect(forecast.placement == .unknown)
    forecast.add(.neuralEngine, cost: 0.6)
    forecast.add(.neuralEngine, cost: 0.3)
    forecast.add(.cpu, cost: 0.1)
    forecast.add(.gpu, cost: nil)
    let placement = forecast.placement
    #expect(placement.source == .plan)
    #expect(abs(placement.share["neural_engine"]! - 0.9) < 1e-12)
    #expect(abs(placement.share["cpu"]! - 0.1) < 1e-12)
    #expect(placement.share["gpu"] == nil)
    #expect(placement.share["neural_engine_operations"] == 0.5)
    #expect(placement.share["gpu_operations"] == 0.25)
    #expect(placement.share["cpu_operations"] == 0.25)
  }

  @Test func aForecastWithoutCostsHasOperationsAlone() {
    var forecast = PlacementForecast()
    forecast.add(.gpu, cost: .nan)
    #expect(forecast.placement.share == ["gpu_operations": 1])
  }

  @Test func computeUnitsAreTheManifests() throws {
    let manifest = try Manifest(parsing: try ContractFiles.bytes("bundles/ios/manifest.json"))
    #expect(try ComputeUnits(manifest.target) == .all)
    #expect(ComputeUnits.allCases.map(\.rawValue) == ["all", "cpuAndNeuralEngine", "cpuAndGPU", "cpuOnly"])
    let android = try Manifest(parsing: try ContractFiles.bytes("bundles/android/manifest.json"))
    #expect(try ComputeUnits(android.target) == .all)
    let strange = Manifest.Target(
      platform: .ios, runtime: "coreml", recipe: "coreml_fp16", backend: "coreml", minOS: "16.0",
      computeUnits: "quantum", minRuntime: nil)
    let error = try #require(mobiError { _ = try ComputeUnits(strange) })
    #expect(error.kind == "UnsupportedError")
    #expect(error.text.contains("'quantum'") && error.text.contains("cpuAndNeuralEngine"))
  }

  @Test(arguments: [
    (4000, 3000, 1), (8064, 6048, 1), (8165, 6124, 2), (16320, 12240, 2), (30000, 20000, 4), (60000, 50000, 8),
    (65535, 762, 1), (1, 1, 1),
  ])
  func largePhotographsAreDecodedAtAFraction(width: Int, height: Int, factor: Int) throws {
    #expect(try PhotoSampling.factor(width: width, height: height) == factor)
  }

  @Test func photographsThatNoPhoneCanHoldAreRefused() {
    #expect(mobiError { _ = try PhotoSampling.factor(width: 65535, height: 65535) }?.kind == "DataError")
    #expect(mobiError { _ = try PhotoSampling.factor(width: 0, height: 10) }?.kind == "DataError")
    #expect(mobiError { _ = try PhotoSampling.factor(width: 70000, height: 10) }?.kind == "DataError")
  }

  @Test func bundlesThatAreStillInICloudAreSaidSo() throws {
    let scratch = try ScratchFolder()
    let folder = scratch.url.appendingPathComponent("bundle")
    try FileManager.default.copyItem(at: ContractFiles.folder.appendingPathComponent("bundles/ios"), to: folder)
    try ModelBundle.requireDownloaded(folder)
    let data = folder.appendingPathComponent("model.mlpackage/Data")
    try Data().write(to: data.appendingPathComponent(".weight.bin.icloud"))
    try Data().write(to: data.appendingPathComponent("plain.icloud"))
    let error = try #require(mobiError { try ModelBundle.requireDownloaded(folder) })
    #expect(error.kind == "DataError")
    #expect(error.text.contains("'weight.bin'") && error.text.contains("Files"))
  }
}
