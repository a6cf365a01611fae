#if canImport(ImageIO)
  import CoreGraphics
  import Foundation
  import ImageIO

  /// Decodes a photograph of any kind that the system knows, in sRGB, with its EXIF orientation, over black.
  ///
  /// A very large one is decoded at a fraction of its sides. Throws `MobiError.data` where it is no image.
  public func decodePhoto(at url: URL) throws -> RGBAImage {
    let content: Data
    do {
      content = try Data(contentsOf: url, options: .mappedIfSafe)
    } catch {
      throw MobiError.data("the photograph cannot be read: \(error.localizedDescription)", got: url.path.shown)
    }
    return try decodePhoto(content)
  }

  /// Decodes a photograph from the bytes of its file.
  public func decodePhoto(_ content: Data) throws -> RGBAImage {
    let notAnImage = MobiError.data(
      "this is not a photograph that iOS can read", got: "\(content.count) bytes", hint: "Choose a JPEG, HEIC or PNG")
    guard let source = CGImageSourceCreateWithData(content as CFData, nil),
      let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [String: Any],
      let width = properties[kCGImagePropertyPixelWidth as String] as? Int,
      let height = properties[kCGImagePropertyPixelHeight as String] as? Int
    else { throw notAnImage }
    let orientation = properties[kCGImagePropertyOrientation as String] as? Int ?? 1
    let factor = try PhotoSampling.factor(width: width, height: height)
    let options = [kCGImageSourceSubsampleFactor as String: factor] as CFDictionary
    guard let image = CGImageSourceCreateImageAtIndex(source, 0, factor > 1 ? options : nil) else { throw notAnImage }
    return try RGBAImage(
      width: image.width, height: image.height, orientation: (1...8).contains(orientation) ? orientation : 1,
      bytes: try drawOverBlack(image))
  }

  /// The contract's straight alpha over black is what drawing into a black opaque bitmap gives; the colour space converts.
  private func drawOverBlack(_ image: CGImage) throws -> [UInt8] {
    let (width, height) = (image.width, image.height)
    try RGBAImage.checkSize(width: width, height: height)
    var bytes = [UInt8](repeating: 0, count: width * height * 4)
    let drawn = bytes.withUnsafeMutableBytes { buffer -> Bool in
      guard let space = CGColorSpace(name: CGColorSpace.sRGB),
        let context = CGContext(
          data: buffer.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
          space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
      else { return false }
      context.interpolationQuality = .none
      context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
      return true
    }
    guard drawn else {
      throw MobiError.device("there is no memory for this photograph", got: "\(width)×\(height)")
    }
    // The skipped byte is undefined after drawing; the image is opaque now.
    for alpha in stride(from: 3, to: bytes.count, by: 4) { bytes[alpha] = 255 }
    return bytes
  }
#endif
