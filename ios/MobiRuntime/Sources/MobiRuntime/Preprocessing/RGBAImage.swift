/// A decoded photograph: rows from the top, R G B A, straight alpha, sRGB, as stored before it is turned upright.
public struct RGBAImage: Equatable, Sendable {
  /// What JPEG can hold; it keeps every sum exact.
  public static let largestSide = 65_535
  /// A 200-megapixel camera makes 199,756,800; more is taken for a decompression bomb.
  public static let largestPixels = 200_000_000

  /// Columns, as stored.
  public let width: Int
  /// Rows, as stored.
  public let height: Int
  /// EXIF orientation, 1 to 8.
  public let orientation: Int
  /// `width × height × 4` bytes.
  public let bytes: [UInt8]

  /// Checks sizes and orientation.
  ///
  /// Throws `MobiError.data`.
  public init(width: Int, height: Int, orientation: Int = 1, bytes: [UInt8]) throws {
    try Self.checkSize(width: width, height: height)
    guard (1...8).contains(orientation) else {
      throw MobiError.data("EXIF orientation is unknown", got: "\(orientation)", allowed: "1 to 8")
    }
    guard bytes.count == width * height * 4 else {
      throw MobiError.data("pixels must be \(width)×\(height)×4 bytes", got: "\(bytes.count)")
    }
    self.width = width
    self.height = height
    self.orientation = orientation
    self.bytes = bytes
  }

  /// The size of the upright image.
  public var uprightSize: SourceImage {
    orientation >= 5 ? SourceImage(width: height, height: width) : SourceImage(width: width, height: height)
  }

  static func checkSize(width: Int, height: Int) throws {
    guard (1...largestSide).contains(width), (1...largestSide).contains(height) else {
      throw MobiError.data(
        "an image's sides are out of range", got: "\(width)×\(height)", allowed: "1 to \(largestSide)")
    }
    guard width * height <= largestPixels else {
      throw MobiError.data("image is too large", got: "\(width)×\(height)", allowed: "at most \(largestPixels) pixels")
    }
  }
}
