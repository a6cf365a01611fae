import Foundation
import XCTest

// Compiled together with the UI tests: on Apple's systems it is XCTest itself that has these.

/// https://developer.apple.com/documentation/xcuiautomation/xcuielement
@MainActor class XCUIElement: NSObject {
  var firstMatch: XCUIElement { fatalError() }
  func waitForExistence(timeout: TimeInterval) -> Bool { fatalError() }
  func tap() {}
}
/// https://developer.apple.com/documentation/xcuiautomation/xcuielementquery
@MainActor class XCUIElementQuery: NSObject {
  var buttons: XCUIElementQuery { fatalError() }
  var firstMatch: XCUIElement { fatalError() }
  var count: Int { fatalError() }
  func element(boundBy index: Int) -> XCUIElement { fatalError() }
}
/// https://developer.apple.com/documentation/xcuiautomation/xcuiapplication
@MainActor final class XCUIApplication: XCUIElement {
  var launchArguments: [String] = []
  var tabBars: XCUIElementQuery { fatalError() }
  var navigationBars: XCUIElementQuery { fatalError() }
  var alerts: XCUIElementQuery { fatalError() }
  func launch() {}
}
