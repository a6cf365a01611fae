@_exported import Foundation

/// https://developer.apple.com/documentation/uikit/uiapplication
@MainActor open class UIApplication: NSObject {
  public class var shared: UIApplication { fatalError() }
  open var isIdleTimerDisabled: Bool {
    get { fatalError() }
    set {}
  }
}

/// https://developer.apple.com/documentation/uikit/uidevice
@MainActor open class UIDevice: NSObject {
  /// https://developer.apple.com/documentation/uikit/uidevice/batterystate-swift.enum
  public enum BatteryState: Int, Sendable {
    case unknown = 0
    case unplugged = 1
    case charging = 2
    case full = 3
  }
  public class var current: UIDevice { fatalError() }
  open var model: String { fatalError() }
  open var isBatteryMonitoringEnabled: Bool {
    get { fatalError() }
    set {}
  }
  open var batteryLevel: Float { fatalError() }
  open var batteryState: BatteryState { fatalError() }
}

/// https://developer.apple.com/documentation/uikit/uiimage
open class UIImage: NSObject, @unchecked Sendable {
  public func jpegData(compressionQuality: Double) -> Data? { fatalError() }
}

/// https://developer.apple.com/documentation/uikit/uiviewcontroller
@MainActor open class UIViewController: NSObject {}
/// https://developer.apple.com/documentation/uikit/uinavigationcontroller
@MainActor open class UINavigationController: UIViewController {}
/// https://developer.apple.com/documentation/uikit/uinavigationcontrollerdelegate
@MainActor public protocol UINavigationControllerDelegate: AnyObject {}

/// https://developer.apple.com/documentation/uikit/uiimagepickercontrollerdelegate
@MainActor public protocol UIImagePickerControllerDelegate: AnyObject {
  func imagePickerController(
    _ picker: UIImagePickerController, didFinishPickingMediaWithInfo info: [UIImagePickerController.InfoKey: Any])
  func imagePickerControllerDidCancel(_ picker: UIImagePickerController)
}

/// https://developer.apple.com/documentation/uikit/uiimagepickercontroller
@MainActor open class UIImagePickerController: UINavigationController {
  public enum SourceType: Int, Sendable {
    case camera = 1
  }
  public struct InfoKey: Hashable, Sendable {
    public static let originalImage = InfoKey()
  }
  public override init() {}
  public class func isSourceTypeAvailable(_ sourceType: SourceType) -> Bool { fatalError() }
  open var sourceType: SourceType = .camera
  public weak var delegate: (any UIImagePickerControllerDelegate & UINavigationControllerDelegate)?
}

/// https://developer.apple.com/documentation/foundation/nsurl/startaccessingsecurityscopedresource()
extension URL {
  public func startAccessingSecurityScopedResource() -> Bool { fatalError() }
  public func stopAccessingSecurityScopedResource() {}
}
