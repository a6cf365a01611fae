import SwiftUI

/// https://developer.apple.com/documentation/charts/plottable
public protocol Plottable {}
/// https://developer.apple.com/documentation/charts/plottable
extension Double: Plottable {}
/// https://developer.apple.com/documentation/charts/plottable
extension String: Plottable {}

/// https://developer.apple.com/documentation/charts/plottablevalue
public struct PlottableValue<Value: Plottable> {
  public static func value<S: StringProtocol>(_ labelKey: S, _ value: Value) -> PlottableValue<Value> { fatalError() }
}

/// https://developer.apple.com/documentation/charts/chartcontent
@MainActor @preconcurrency public protocol ChartContent {}
/// https://developer.apple.com/documentation/charts/chartcontent/foregroundstyle(by:)
extension ChartContent {
  public func foregroundStyle<D: Plottable>(by value: PlottableValue<D>) -> some ChartContent { self }
}

/// https://developer.apple.com/documentation/charts/chartcontentbuilder
@resultBuilder public enum ChartContentBuilder {
  @MainActor public static func buildBlock<Content: ChartContent>(_ content: Content) -> Content { content }
}

/// https://developer.apple.com/documentation/charts/pointmark
public struct PointMark: ChartContent {
  public nonisolated init<X: Plottable, Y: Plottable>(x: PlottableValue<X>, y: PlottableValue<Y>) {}
}

/// https://developer.apple.com/documentation/charts/chart
public struct Chart<Content: ChartContent>: View {
  public typealias Body = Never
  public init<Data: RandomAccessCollection>(
    _ data: Data, @ChartContentBuilder content: @escaping (Data.Element) -> Content
  ) where Data.Element: Identifiable {}
}

/// https://developer.apple.com/documentation/swiftui/view/chartxaxislabel(_:position:alignment:spacing:)
extension View {
  public func chartXAxisLabel<S: StringProtocol>(_ label: S) -> some View { self }
  public func chartYAxisLabel<S: StringProtocol>(_ label: S) -> some View { self }
}
