#if canImport(CoreML)
  import CoreML
  import CoreVideo
  import Foundation

  /// The one input that a loaded model takes, made once and overwritten for every image.
  struct CoreMLInput {
    let provider: any MLFeatureProvider
    private let storage: Storage
    private let width: Int
    private let height: Int

    private enum Storage {
      case image(CVPixelBuffer)
      case tensor(MLMultiArray)
    }

    /// Throws `MobiError.bundle` where the model's input is not what the manifest says.
    init(_ input: Manifest.Input, of description: MLModelDescription) throws {
      width = input.width
      height = input.height
      let feature = description.inputDescriptionsByName[input.name]
      let expected: MLFeatureType = input.kind == .image ? .image : .multiArray
      guard let feature, feature.type == expected, description.inputDescriptionsByName.count == 1 else {
        throw MobiError.bundle(
          "the model's input is not the manifest's: \(input.kind.rawValue) \(input.name.shown)",
          got: "\(description.inputDescriptionsByName.keys.sorted())", hint: "Export the bundle again")
      }
      switch input.kind {
      case .image:
        let buffer = try Self.makePixelBuffer(width: width, height: height)
        storage = .image(buffer)
        provider = try MLDictionaryFeatureProvider(dictionary: [input.name: MLFeatureValue(pixelBuffer: buffer)])
      case .tensor:
        guard input.dataType == .float32 else {
          throw MobiError.unsupported(
            "Core ML takes no such tensor", got: input.dataType.rawValue, allowed: "float32",
            hint: "Export with an image input")
        }
        let array = try MLMultiArray(
          shape: [1, 3, NSNumber(value: height), NSNumber(value: width)], dataType: .float32)
        storage = .tensor(array)
        provider = try MLDictionaryFeatureProvider(dictionary: [input.name: MLFeatureValue(multiArray: array)])
      }
    }

    /// Overwrites the input with one (H,W,3) image.
    ///
    /// Throws `MobiError.data` where it is of another size, `MobiError.device` where its memory is refused.
    func write(_ pixels: [UInt8]) throws {
      guard pixels.count == width * height * 3 else {
        throw MobiError.data("pixels must be \(height)×\(width)×3 bytes", got: "\(pixels.count)")
      }
      switch storage {
      case .image(let buffer):
        guard CVPixelBufferLockBaseAddress(buffer, []) == kCVReturnSuccess,
          let base = CVPixelBufferGetBaseAddress(buffer)
        else { throw Self.refusal }
        PixelLayout.writeBGRA(
          pixels, width: width, height: height, bytesPerRow: CVPixelBufferGetBytesPerRow(buffer), to: base)
        CVPixelBufferUnlockBaseAddress(buffer, [])
      case .tensor(let array):
        array.withUnsafeMutableBytes { bytes, strides in
          guard let base = bytes.baseAddress else { return }
          PixelLayout.writePlanes(
            pixels, width: width, height: height,
            strides: (channel: strides[1], row: strides[2], column: strides[3]),
            to: base.assumingMemoryBound(to: Float.self))
        }
      }
    }

    private static let refusal = MobiError.device(
      "there is no memory for the network's input", hint: "Close other apps and try again")

    /// Backed by an IOSurface, which the Neural Engine and the GPU read without a copy.
    private static func makePixelBuffer(width: Int, height: Int) throws -> CVPixelBuffer {
      var buffer: CVPixelBuffer?
      let attributes = [kCVPixelBufferIOSurfacePropertiesKey as String: [String: Any]()] as CFDictionary
      let status = CVPixelBufferCreate(
        kCFAllocatorDefault, width, height, kCVPixelFormatType_32BGRA, attributes, &buffer)
      guard status == kCVReturnSuccess, let buffer else { throw refusal }
      return buffer
    }
  }
#endif
