/// How a photograph that is larger than a phone can hold is decoded: at a half, a quarter or an eighth of its sides.
enum PhotoSampling {
  /// 48 megapixels, the largest that an iPhone's camera makes, is decoded whole: 192 MB.
  static let largestPixels = 50_000_000
  /// What ImageIO offers.
  private static let factors = [1, 2, 4, 8]

  /// The divisor of both sides.
  ///
  /// Throws `MobiError.data` where the image is too large even then, or has no size.
  static func factor(width: Int, height: Int) throws -> Int {
    guard (1...RGBAImage.largestSide).contains(width), (1...RGBAImage.largestSide).contains(height) else {
      throw MobiError.data(
        "an image's sides are out of range", got: "\(width)×\(height)", allowed: "1 to \(RGBAImage.largestSide)")
    }
    guard let factor = factors.first(where: { (width / $0) * (height / $0) <= largestPixels }) else {
      throw MobiError.data(
        "the photograph is too large", got: "\(width)×\(height)", allowed: "at most \(largestPixels * 64) pixels")
    }
    return factor
  }
}
