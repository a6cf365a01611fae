/// https://developer.apple.com/documentation/swiftui/font
public struct Font: Hashable, Sendable {
  public static let body = Font()
  public static let headline = Font()
  public static let subheadline = Font()
  public static let footnote = Font()
  public func monospaced() -> Font { self }
}
/// https://developer.apple.com/documentation/swiftui/shapestyle
public protocol ShapeStyle: Sendable {}
/// https://developer.apple.com/documentation/swiftui/color
public struct Color: ShapeStyle {}
/// https://developer.apple.com/documentation/swiftui/shapestyle/orange
extension ShapeStyle where Self == Color {
  public static var orange: Color { fatalError() }
}
/// https://developer.apple.com/documentation/swiftui/hierarchicalshapestyle
public struct HierarchicalShapeStyle: ShapeStyle {}
/// https://developer.apple.com/documentation/swiftui/shapestyle/secondary
extension ShapeStyle where Self == HierarchicalShapeStyle {
  public static var secondary: HierarchicalShapeStyle { fatalError() }
}
/// https://developer.apple.com/documentation/swiftui/textselectability
public protocol TextSelectability {}
/// https://developer.apple.com/documentation/swiftui/enabledtextselectability
public struct EnabledTextSelectability: TextSelectability {}
/// https://developer.apple.com/documentation/swiftui/textselectability/enabled
extension TextSelectability where Self == EnabledTextSelectability {
  public static var enabled: EnabledTextSelectability { fatalError() }
}
/// https://developer.apple.com/documentation/swiftui/textinputautocapitalization
public struct TextInputAutocapitalization: Sendable {
  public static var never: TextInputAutocapitalization { fatalError() }
}
/// https://developer.apple.com/documentation/swiftui/navigationbaritem/titledisplaymode
public enum TitleDisplayMode: Sendable {
  case inline
}
/// https://developer.apple.com/documentation/swiftui/accessibilitychildbehavior
public struct AccessibilityChildBehavior: Hashable, Sendable {
  public static let combine = AccessibilityChildBehavior()
  public static let ignore = AccessibilityChildBehavior()
}

/// https://developer.apple.com/documentation/swiftui/view-fundamentals
extension View {
  public func font(_ font: Font?) -> some View { self }
  public func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { self }
  public func frame(height: CGFloat?) -> some View { self }
  public func ignoresSafeArea() -> some View { self }
  public func disabled(_ disabled: Bool) -> some View { self }
  public func tag<V: Hashable>(_ tag: V) -> some View { self }
  public func textSelection<S: TextSelectability>(_ selectability: S) -> some View { self }
  public func autocorrectionDisabled(_ disable: Bool = true) -> some View { self }
  public func textInputAutocapitalization(_ autocapitalization: TextInputAutocapitalization?) -> some View { self }
  public func environment<V>(_ keyPath: WritableKeyPath<EnvironmentValues, V>, _ value: V) -> some View { self }
  public func environmentObject<T: ObservableObject>(_ object: T) -> some View { self }
}
/// https://developer.apple.com/documentation/swiftui/view-accessibility
extension View {
  public func accessibilityElement(children: AccessibilityChildBehavior) -> some View { self }
  public func accessibilityLabel<S: StringProtocol>(_ label: S) -> some View { self }
}
/// https://developer.apple.com/documentation/swiftui/view-events
extension View {
  public func task(_ action: @escaping @MainActor @Sendable () async -> Void) -> some View { self }
  public func onOpenURL(perform action: @escaping @MainActor (URL) -> Void) -> some View { self }
  public func onDisappear(perform action: (@MainActor () -> Void)? = nil) -> some View { self }
  public func onChange<V: Equatable>(of value: V, perform action: @escaping @MainActor (V) -> Void) -> some View {
    self
  }
}
/// https://developer.apple.com/documentation/swiftui/view-presentation
extension View {
  public func sheet<Item: Identifiable, Content: View>(
    item: Binding<Item?>, @ViewBuilder content: @escaping (Item) -> Content
  ) -> some View { self }
  public func fullScreenCover<Content: View>(
    isPresented: Binding<Bool>, @ViewBuilder content: @escaping () -> Content
  ) -> some View { self }
  public func alert<S: StringProtocol, A: View, M: View>(
    _ title: S, isPresented: Binding<Bool>, @ViewBuilder actions: () -> A, @ViewBuilder message: () -> M
  ) -> some View { self }
  public func fileImporter(
    isPresented: Binding<Bool>, allowedContentTypes: [UTType],
    onCompletion: @escaping @MainActor (Result<URL, any Error>) -> Void
  ) -> some View { self }
}
/// https://developer.apple.com/documentation/swiftui/view-toolbars
extension View {
  public func navigationTitle<S: StringProtocol>(_ title: S) -> some View { self }
  public func navigationBarTitleDisplayMode(_ displayMode: TitleDisplayMode) -> some View { self }
  public func toolbar<Content: ToolbarContent>(@ToolbarContentBuilder content: () -> Content) -> some View { self }
  public func tabItem<V: View>(@ViewBuilder _ label: () -> V) -> some View { self }
  public func swipeActions<T: View>(@ViewBuilder content: () -> T) -> some View { self }
}
