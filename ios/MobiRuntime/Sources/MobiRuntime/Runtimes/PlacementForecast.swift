/// Adds up where Core ML's compute plan wants each operation to run. It is a forecast: nothing here has been measured.
struct PlacementForecast {
  /// A unit as the log names it.
  enum Unit: String {
    case neuralEngine = "neural_engine"
    case gpu
    case cpu
  }

  private var operations: [Unit: Int] = [:]
  private var costs: [Unit: Double] = [:]

  /// Adds an operation that runs on `unit`; `cost` is its share of the whole network's, nil where the plan does not tell.
  mutating func add(_ unit: Unit, cost: Double?) {
    operations[unit, default: 0] += 1
    if let cost, cost.isFinite, cost > 0 { costs[unit, default: 0] += cost }
  }

  /// Share of the cost by unit, and of the operations by `<unit>_operations`; unknown where the plan tells nothing.
  var placement: Placement {
    let count = operations.values.reduce(0, +)
    guard count > 0 else { return .unknown }
    var share: [String: Double] = [:]
    for (unit, operations) in operations {
      share["\(unit.rawValue)_operations"] = Double(operations) / Double(count)
    }
    let total = costs.values.reduce(0, +)
    for (unit, cost) in costs { share[unit.rawValue] = cost / total }
    return Placement(source: .plan, share: share)
  }
}
