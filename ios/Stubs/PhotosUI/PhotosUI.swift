import Foundation
import SwiftUI

/// https://developer.apple.com/documentation/coretransferable/transferable
public protocol Transferable {}
/// https://developer.apple.com/documentation/foundation/data
extension Data: Transferable {}

/// https://developer.apple.com/documentation/photosui/photospickeritem
public struct PhotosPickerItem: Equatable, Hashable, Sendable {
  public func loadTransferable<T: Transferable>(type: T.Type) async throws -> T? { fatalError() }
}

/// https://developer.apple.com/documentation/photosui/phpickerfilter
public struct PHPickerFilter: Equatable, Sendable {
  public static var images: PHPickerFilter { fatalError() }
}

/// https://developer.apple.com/documentation/photosui/photospicker
@MainActor @preconcurrency public struct PhotosPicker<Label: View>: View {
  public typealias Body = Never
  public init(
    selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter? = nil,
    @ViewBuilder label: () -> Label
  ) {}
}
