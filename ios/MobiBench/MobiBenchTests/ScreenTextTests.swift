import Foundation
import MobiRuntime
import Testing

@testable import MobiBench

/// What the screens say.
@Suite struct ScreenTextTests {
  @Test func numbersAreInThePersonsDigits() {
    let english = Locale(identifier: "en_US")
    #expect(Figures.milliseconds(12_345_678, locale: english) == "12.35")
    #expect(Figures.percent(0.9312, locale: english) == "93.1")
    #expect(Figures.milliseconds(1_500_000, locale: Locale(identifier: "ar_EG")) == "١٫٥٠")
    #expect(Figures.megabytes(1_934_567, locale: english) == "1.93")
  }

  @Test func warningsAreTheWorstFirst() {
    var conditions = Conditions()
    #expect(Warning.all(for: conditions, isSimulator: false).isEmpty)
    conditions.lowPowerMode = true
    conditions.charging = true
    conditions.thermalBefore = .serious
    #expect(Warning.all(for: conditions, isSimulator: true) == [.simulator, .lowPower, .hot, .charging])
    conditions.thermalBefore = .fair
    #expect(!Warning.all(for: conditions, isSimulator: false).contains(.hot))
  }

  @Test func everyStateHasWordsOfItsOwn() {
    let thermal = (ThermalState.allCases.map(Optional.some) + [nil]).map(\.phrase)
    #expect(Set(thermal).count == ThermalState.allCases.count + 1)
    #expect(Set(LatencyRun.Mode.allCases.map(\.phrase)).count == LatencyRun.Mode.allCases.count)
    #expect(Set(ComputeUnits.allCases.map(\.phrase)).count == ComputeUnits.allCases.count)
    #expect(Set(Warning.allCases.map(\.phrase)).count == Warning.allCases.count)
  }

  @Test func settingsMakeAConfig() throws {
    var settings = BenchSettings()
    settings[isChosen: "a"] = true
    settings[isChosen: "b"] = true
    settings[isChosen: "a"] = false
    #expect(settings[isChosen: "b"] && settings.bundles == ["b"])
    settings.keepOnly(["c"])
    #expect(settings.bundles.isEmpty)
    settings.mode = .sustained
    settings.seconds = 600
    let config = try settings.makeConfig()
    #expect(config.mode == .sustained && config.seconds == 600 && config.runs == 10)
    settings.runs = 0
    #expect(throws: MobiError.self) { try settings.makeConfig() }
  }

  #if !SWIFT_PACKAGE
    /// In Xcode, where the catalog is compiled into the app; elsewhere tests/ios reads its file.
    @Test func everyPhraseIsInTheCatalog() {
      for phrase in Phrase.allCases { #expect(phrase() != phrase.rawValue) }
    }
  #endif
}
