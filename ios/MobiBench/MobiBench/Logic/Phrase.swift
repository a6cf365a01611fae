import Foundation

/// Every text that the app shows, by its key in Localizable.xcstrings; Android has the same keys.
enum Phrase: String, CaseIterable, Sendable {
  case bundles
  case classify
  case benchmark
  case results
  case ok
  case cancel
  case failedTitle = "failed_title"
  case working
  case bundlesOnPhone = "bundles_on_phone"
  case bundlesEmpty = "bundles_empty"
  case addFile = "add_file"
  case bundlesRemove = "bundles_remove"
  case bundlesUntrained = "bundles_untrained"
  case bundlesDamaged = "bundles_damaged"
  case bundlesDownloading = "bundles_downloading"
  case bundlesDownload = "bundles_download"
  case lab
  case serverJoined = "server_joined"
  case refresh
  case leave
  case serverSearch = "server_search"
  case serverSearching = "server_searching"
  case joinTitle = "join_title"
  case joinExplanation = "join_explanation"
  case joinFingerprint = "join_fingerprint"
  case joinCode = "join_code"
  case join
  case bundleToClassifyWith = "bundle_to_classify_with"
  case choosePhoto = "choose_photo"
  case takePhoto = "take_photo"
  case classifyEmpty = "classify_empty"
  case classifyTimes = "classify_times"
  case classifyAnswer = "classify_answer"
  case bundlesToMeasure = "bundles_to_measure"
  case benchmarkSettings = "benchmark_settings"
  case mode
  case modeBurst = "mode_burst"
  case modeSustained = "mode_sustained"
  case modeCold = "mode_cold"
  case modeProduction = "mode_production"
  case benchmarkRuns = "benchmark_runs"
  case benchmarkSamples = "benchmark_samples"
  case benchmarkSeconds = "benchmark_seconds"
  case benchmarkUnits = "benchmark_units"
  case unitsBundle = "units_bundle"
  case unitsAll = "units_all"
  case unitsCPUAndNeuralEngine = "units_cpu_and_neural_engine"
  case unitsCPUAndGPU = "units_cpu_and_gpu"
  case unitsCPUOnly = "units_cpu_only"
  case start
  case stop
  case benchmarkProgress = "benchmark_progress"
  case benchmarkLatest = "benchmark_latest"
  case benchmarkChart = "benchmark_chart"
  case benchmarkChartSeconds = "benchmark_chart_seconds"
  case benchmarkChartMilliseconds = "benchmark_chart_milliseconds"
  case benchmarkKeepOpen = "benchmark_keep_open"
  case benchmarkPaused = "benchmark_paused"
  case thermalNominal = "thermal_nominal"
  case thermalFair = "thermal_fair"
  case thermalSerious = "thermal_serious"
  case thermalCritical = "thermal_critical"
  case thermalUnknown = "thermal_unknown"
  case warningLowPower = "warning_low_power"
  case warningCharging = "warning_charging"
  case warningHot = "warning_hot"
  case warningSimulator = "warning_simulator"
  case noRuns = "no_runs"
  case columnMedian = "column_median"
  case columnP90 = "column_p90"
  case resultsLoad = "results_load"
  case resultsFirst = "results_first"
  case resultsValue = "results_value"
  case resultsRuns = "results_runs"
  case resultsMarked = "results_marked"
  case resultsSetAside = "results_set_aside"
  case shareLog = "share_log"
  case upload
  case uploadSending = "upload_sending"
  case uploadState = "upload_state"
  case uploadNone = "upload_none"
  case planRunning = "plan_running"

  /// The text in the person's language, its places filled.
  func callAsFunction(_ arguments: any CVarArg...) -> String {
    let format = Bundle.main.localizedString(forKey: rawValue, value: nil, table: nil)
    return arguments.isEmpty ? format : String(format: format, locale: .current, arguments: arguments)
  }
}
