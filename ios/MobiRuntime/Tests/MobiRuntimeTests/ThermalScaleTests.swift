import Testing

@testable import MobiRuntime

/// One table of heat for both phones.
@Suite struct ThermalScaleTests {
  struct Table: Decodable {
    let states: [String]
    let ios: [Row]
    let unknown: Unknown
  }

  struct Row: Decodable {
    let raw: Int
    let state: String
  }

  struct Unknown: Decodable {
    let ios: [Int]
  }

  @Test func statesAreTheTables() throws {
    let table = try ContractFiles.decode(Table.self, "thermal.json")
    #expect(ThermalState.allCases.map(\.rawValue) == table.states)
    for row in table.ios { #expect(ThermalScale.state(ofAppleValue: row.raw)?.rawValue == row.state) }
    for value in table.unknown.ios { #expect(ThermalScale.state(ofAppleValue: value) == nil) }
  }
}
