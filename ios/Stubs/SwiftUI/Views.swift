/// https://developer.apple.com/documentation/swiftui/view
@MainActor @preconcurrency public protocol View {
  associatedtype Body: View
  @ViewBuilder @MainActor @preconcurrency var body: Self.Body { get }
}
/// https://developer.apple.com/documentation/swift/never
extension Never: View {
  public typealias Body = Never
}
/// https://developer.apple.com/documentation/swiftui/view
extension View where Body == Never {
  public var body: Never { fatalError() }
}
/// https://developer.apple.com/documentation/swift/optional
extension Optional: View where Wrapped: View {
  public typealias Body = Never
}

/// https://developer.apple.com/documentation/swiftui/viewbuilder
@resultBuilder public struct ViewBuilder {
  public static func buildExpression<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock() -> EmptyView { fatalError() }
  public static func buildBlock<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock<each Content: View>(_ content: repeat each Content) -> TupleView<(repeat each Content)>
  {
    fatalError()
  }
  public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }
  public static func buildEither<T: View, F: View>(first: T) -> ConditionalContent<T, F> { fatalError() }
  public static func buildEither<T: View, F: View>(second: F) -> ConditionalContent<T, F> { fatalError() }
}

/// https://developer.apple.com/documentation/swiftui/tupleview
public struct TupleView<T>: View {
  public typealias Body = Never
}
/// https://developer.apple.com/documentation/swiftui/viewbuilder/buildeither(first:)
public struct ConditionalContent<T: View, F: View>: View {
  public typealias Body = Never
}
/// https://developer.apple.com/documentation/swiftui/emptyview
public struct EmptyView: View {
  public typealias Body = Never
  public nonisolated init() {}
}
/// https://developer.apple.com/documentation/swiftui/text
public struct Text: View {
  public typealias Body = Never
  public nonisolated init<S: StringProtocol>(_ content: S) {}
  public nonisolated func monospacedDigit() -> Text { self }
}
/// https://developer.apple.com/documentation/swiftui/spacer
public struct Spacer: View {
  public typealias Body = Never
  public nonisolated init() {}
}
/// https://developer.apple.com/documentation/swiftui/horizontalalignment
public struct HorizontalAlignment: Sendable {
  public static let leading = HorizontalAlignment()
}
/// https://developer.apple.com/documentation/swiftui/vstack
public struct VStack<Content: View>: View {
  public typealias Body = Never
  public init(alignment: HorizontalAlignment, @ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/hstack
public struct HStack<Content: View>: View {
  public typealias Body = Never
  public init(@ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/list
public struct List<Content: View>: View {
  public typealias Body = Never
  public init(@ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/form
public struct Form<Content: View>: View {
  public typealias Body = Never
  public init(@ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/section
public struct Section<Parent: View, Content: View, Footer: View>: View {
  public typealias Body = Never
}
/// https://developer.apple.com/documentation/swiftui/section/init(_:content:)
extension Section where Parent == Text, Footer == EmptyView {
  public init<S: StringProtocol>(_ title: S, @ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/section/init(content:)
extension Section where Parent == EmptyView, Footer == EmptyView {
  public init(@ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/section/init(content:footer:)
extension Section where Parent == EmptyView {
  public init(@ViewBuilder content: () -> Content, @ViewBuilder footer: () -> Footer) {}
}
/// https://developer.apple.com/documentation/swiftui/foreach
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: View {
  public typealias Body = Never
  public init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/foreach/init(_:content:)
extension ForEach where Data.Element: Identifiable, ID == Data.Element.ID {
  public init(_ data: Data, @ViewBuilder content: @escaping (Data.Element) -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/navigationstack
public struct NavigationStack<Root: View>: View {
  public typealias Body = Never
  public init(@ViewBuilder root: () -> Root) {}
}
/// https://developer.apple.com/documentation/swiftui/tabview
public struct TabView<Content: View>: View {
  public typealias Body = Never
  public init(@ViewBuilder content: () -> Content) {}
}
/// https://developer.apple.com/documentation/swiftui/label
public struct Label: View {
  public typealias Body = Never
  public init<S: StringProtocol>(_ title: S, systemImage name: String) {}
}
/// https://developer.apple.com/documentation/swiftui/labeledcontent
public struct LabeledContent: View {
  public typealias Body = Never
  public init<S1: StringProtocol, S2: StringProtocol>(_ title: S1, value: S2) {}
}
