import XCTest

/// The app as a person meets it: every screen is there, says what to do when it is empty, and a plan that is not there is said so.
final class ScreensUITests: XCTestCase {
  override func setUp() {
    continueAfterFailure = false
  }

  @MainActor
  func testEveryScreenOpens() {
    let app = XCUIApplication()
    app.launch()
    let tabs = app.tabBars.buttons
    XCTAssertTrue(tabs.firstMatch.waitForExistence(timeout: 10))
    XCTAssertEqual(tabs.count, 4)
    for index in 0..<4 {
      tabs.element(boundBy: index).tap()
      XCTAssertTrue(app.navigationBars.firstMatch.waitForExistence(timeout: 5))
    }
  }

  @MainActor
  func testAPlanThatIsNotThereIsSaidSo() {
    let app = XCUIApplication()
    app.launchArguments = ["--plan", "there_is_no_such_plan"]
    app.launch()
    XCTAssertTrue(app.alerts.firstMatch.waitForExistence(timeout: 10))
  }
}
