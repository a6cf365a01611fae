/// https://developer.apple.com/documentation/uniformtypeidentifiers/uttype-swift.struct
public struct UTType: Hashable, Sendable {
  public static var folder: UTType { fatalError() }
  public static var zip: UTType { fatalError() }
}
