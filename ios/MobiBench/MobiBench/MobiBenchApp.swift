import SwiftUI

/// MobiBench: runs bundles on this phone, and tells the truth about their times.
@main
struct MobiBenchApp: App {
  @StateObject private var model: AppModel

  init() {
    // Documents is there, or the app has no storage at all.
    guard let storage = try? Storage.inDocuments() else { fatalError("this app has no Documents folder") }
    _model = StateObject(wrappedValue: AppModel(storage: storage))
  }

  var body: some Scene {
    WindowGroup {
      RootView().environmentObject(model)
    }
  }
}
