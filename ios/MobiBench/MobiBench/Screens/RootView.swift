import SwiftUI

/// The four screens, and what may lie over any of them: the question about a lab server, and a failure.
struct RootView: View {
  @EnvironmentObject private var model: AppModel
  @Environment(\.scenePhase) private var scenePhase

  var body: some View {
    TabView {
      BundlesScreen().tabItem { Label(Phrase.bundles(), systemImage: "shippingbox") }
      ClassifyScreen().tabItem { Label(Phrase.classify(), systemImage: "photo") }
      BenchmarkScreen().tabItem { Label(Phrase.benchmark(), systemImage: "stopwatch") }
      ResultsScreen().tabItem { Label(Phrase.results(), systemImage: "list.bullet.rectangle") }
    }
    .task { await model.start() }
    .onOpenURL { model.open($0) }
    .onChange(of: scenePhase) { phase in model.sceneChanged(isActive: phase == .active) }
    .sheet(item: $model.activity.joinRequest) { JoinSheet(request: $0) }
    .alert(Phrase.failedTitle(), isPresented: $model.activity.isFailed) {
      Button(Phrase.ok()) { model.activity.dismiss() }
    } message: {
      Text(model.activity.failure)
    }
  }
}
