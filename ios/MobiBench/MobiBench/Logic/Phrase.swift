import Foundation

/// Every text that the app shows, by its key in Localizable.xcstrings; Android has the same keys.
enum Phrase: String, CaseIterable, Sendable {
  case bundles
  case classify
  case benchmark
  case results
  case cancel
  case lab
  case labNotJoined = "lab_not_joined"
  case labConfirming = "lab_confirming"
  case labJoining = "lab_joining"
  case serverJoined = "server_joined"
  case join
  case leave
  case refresh
  case labOffers = "lab_offers"
  case labOffersNone = "lab_offers_none"
  case downloadOf = "download_of"
  case downloading
  case bundlesOnPhone = "bundles_on_phone"
  case bundlesEmpty = "bundles_empty"
  case addFile = "add_file"
  case bundlesRemove = "bundles_remove"
  case bundleDetail = "bundle_detail"
  case bundleDetailUntrained = "bundle_detail_untrained"
  case bundleToClassifyWith = "bundle_to_classify_with"
  case choosePhoto = "choose_photo"
  case takePhoto = "take_photo"
  case classifying
  case classifyEmpty = "classify_empty"
  case classifyTimes = "classify_times"
  case percent
  case mode
  case bundlesToMeasure = "bundles_to_measure"
  case start
  case benchIdleNone = "bench_idle_none"
  case benchIdle = "bench_idle"
  case benchRunning = "bench_running"
  case benchmarkPaused = "benchmark_paused"
  case milliseconds
  case phoneState = "phone_state"
  case thermalUnknown = "thermal_unknown"
  case thermalNominal = "thermal_nominal"
  case thermalFair = "thermal_fair"
  case thermalSerious = "thermal_serious"
  case thermalCritical = "thermal_critical"
  case warningHot = "warning_hot"
  case warningLowPower = "warning_low_power"
  case warningCharging = "warning_charging"
  case runsDone = "runs_done"
  case shareLog = "share_log"
  case upload
  case noRuns = "no_runs"
  case columnMedian = "column_median"
  case columnP90 = "column_p90"
  case modeNameBurst = "mode_name_burst"
  case modeNameSustained = "mode_name_sustained"
  case modeNameCold = "mode_name_cold"
  case modeNameProduction = "mode_name_production"
  case uploadNotJoined = "upload_not_joined"
  case uploadSending = "upload_sending"
  case uploadSent = "upload_sent"
  case uploadRejected = "upload_rejected"
  case resultsSetAside = "results_set_aside"
  case ok
  case failedTitle = "failed_title"
  case working
  case bundlesDamaged = "bundles_damaged"
  case serverSearch = "server_search"
  case serverSearching = "server_searching"
  case joinTitle = "join_title"
  case joinFingerprint = "join_fingerprint"
  case joinCode = "join_code"
  case stop
  case benchmarkSettings = "benchmark_settings"
  case benchmarkRuns = "benchmark_runs"
  case benchmarkSamples = "benchmark_samples"
  case benchmarkSeconds = "benchmark_seconds"
  case benchmarkUnits = "benchmark_units"
  case unitsBundle = "units_bundle"
  case unitsAll = "units_all"
  case unitsCPUAndNeuralEngine = "units_cpu_and_neural_engine"
  case unitsCPUAndGPU = "units_cpu_and_gpu"
  case unitsCPUOnly = "units_cpu_only"
  case benchmarkProgress = "benchmark_progress"
  case benchmarkChart = "benchmark_chart"
  case benchmarkChartSeconds = "benchmark_chart_seconds"
  case benchmarkChartMilliseconds = "benchmark_chart_milliseconds"
  case warningSimulator = "warning_simulator"
  case resultsMarked = "results_marked"
  case planRunning = "plan_running"
  case classifyAnswer = "classify_answer"
  case resultsLoad = "results_load"
  case resultsFirst = "results_first"

  /// The text in the person's language, its places filled.
  func callAsFunction(_ arguments: any CVarArg...) -> String {
    let format = Bundle.main.localizedString(forKey: rawValue, value: nil, table: nil)
    return arguments.isEmpty ? format : String(format: format, locale: .current, arguments: arguments)
  }
}
