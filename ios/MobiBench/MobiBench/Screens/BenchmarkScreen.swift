import MobiRuntime
import SwiftUI

/// What to measure and how much; while it runs, live times and the phone's state.
struct BenchmarkScreen: View {
  @EnvironmentObject private var model: AppModel

  var body: some View {
    NavigationStack {
      List {
        ConditionsSection()
        if case .benchmarking(let state) = model.activity {
          RunningSection(state: state, planName: model.planName)
        } else {
          choices
        }
      }
      .navigationTitle(Phrase.benchmark())
      .task { model.refreshConditions() }
    }
  }

  @ViewBuilder private var choices: some View {
    Section(Phrase.bundlesToMeasure()) {
      if model.bundles.isEmpty { Text(Phrase.bundlesEmpty()).foregroundStyle(.secondary) }
      ForEach(model.bundles, id: \.manifest.bundleID) { bundle in
        Toggle(isOn: $model.settings[isChosen: bundle.directory.lastPathComponent]) { BundleRow(bundle: bundle) }
      }
    }
    Section(Phrase.benchmarkSettings()) {
      Picker(Phrase.mode(), selection: $model.settings.mode) {
        Text(Phrase.modeNameBurst()).tag(BenchConfig.Mode.burst)
        Text(Phrase.modeNameSustained()).tag(BenchConfig.Mode.sustained)
      }
      Stepper(
        Phrase.benchmarkRuns(model.settings.runs), value: $model.settings.runs, in: BenchSettings.runsAllowed)
      if model.settings.mode == .burst {
        Stepper(
          Phrase.benchmarkSamples(model.settings.samples), value: $model.settings.samples,
          in: BenchSettings.samplesAllowed, step: 10)
      } else {
        Stepper(
          Phrase.benchmarkSeconds(model.settings.seconds), value: $model.settings.seconds,
          in: BenchSettings.secondsAllowed, step: 10)
      }
      Picker(Phrase.benchmarkUnits(), selection: $model.settings.units) {
        Text(Phrase.unitsBundle()).tag(ComputeUnits?.none)
        ForEach(ComputeUnits.allCases, id: \.self) { units in
          Text(units.phrase()).tag(Optional(units))
        }
      }
    }
    Section {
      Button(Phrase.start(), systemImage: "play.fill") { model.startBenchmark() }
        .disabled(model.settings.bundles.isEmpty || model.activity.isBusy)
    } footer: {
      Text(model.settings.bundles.isEmpty ? Phrase.benchIdleNone() : Phrase.benchIdle())
    }
  }
}

/// The benchmark under way.
private struct RunningSection: View {
  let state: BenchmarkState
  let planName: String?
  @EnvironmentObject private var model: AppModel

  var body: some View {
    Section {
      if let planName { Text(Phrase.planRunning(planName)).font(.headline) }
      ProgressView(value: state.share) { Text(Phrase.benchmarkProgress(state.currentRun, state.runsTotal)) }
      if let latest = state.latestInferenceNs {
        LabeledContent(
          Phrase.benchRunning(state.bundleName), value: Phrase.milliseconds(Figures.milliseconds(latest)))
      }
      LiveChart(points: state.points)
      if state.isPaused { Label(Phrase.benchmarkPaused(), systemImage: "pause.circle") }
      Button(Phrase.stop(), systemImage: "stop.fill", role: .destructive) { model.cancel() }
    } footer: {
      Text(Phrase.benchIdle())
    }
  }
}

/// Temperature, and what would spoil a measurement.
private struct ConditionsSection: View {
  @EnvironmentObject private var model: AppModel

  var body: some View {
    Section {
      Label(phoneState, systemImage: "thermometer.medium")
      ForEach(Warning.all(for: model.conditions, isSimulator: model.facts.device.isEmulator), id: \.self) { warning in
        Label(warning.phrase(), systemImage: "exclamationmark.triangle").foregroundStyle(.orange)
      }
    }
  }

  private var phoneState: String {
    let battery = model.conditions.batteryLevel.map { Phrase.percent(Figures.percent($0)) } ?? "–"
    return Phrase.phoneState(model.conditions.thermalBefore.phrase(), battery)
  }
}
