@_exported import CoreVideo
@_exported import Foundation

/// https://developer.apple.com/documentation/corefoundation/cfdata
public typealias CFData = Data

/// https://developer.apple.com/documentation/coregraphics/cgimage
public final class CGImage {
  public var width: Int { fatalError() }
  public var height: Int { fatalError() }
}

/// https://developer.apple.com/documentation/coregraphics/cgcolorspace
public final class CGColorSpace {
  public init?(name: CFString) {}
  public static let sRGB: CFString = ""
}

/// https://developer.apple.com/documentation/coregraphics/cgimagealphainfo
public enum CGImageAlphaInfo: UInt32 {
  case noneSkipLast = 5
}

/// https://developer.apple.com/documentation/coregraphics/cginterpolationquality
public enum CGInterpolationQuality: Int32 {
  case none = 1
}

/// https://developer.apple.com/documentation/coregraphics/cgcontext
public final class CGContext {
  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
    space: CGColorSpace, bitmapInfo: UInt32
  ) {}
  public var interpolationQuality: CGInterpolationQuality = .none
  public func draw(_ image: CGImage, in rect: CGRect, byTiling: Bool = false) {}
}
