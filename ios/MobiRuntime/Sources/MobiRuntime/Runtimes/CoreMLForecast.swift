#if canImport(CoreML)
  import CoreML
  import Foundation

  /// Asks Core ML's compute plan where a network would run. It is asked after timing, and once a network and units.
  actor CoreMLForecast {
    static let shared = CoreMLForecast()
    private var known: [String: Placement] = [:]

    /// Unknown before iOS 17.4, and where Core ML has no plan: a run is not lost for that.
    func read(_ compiled: URL, _ units: ComputeUnits) async -> Placement {
      guard #available(iOS 17.4, macOS 14.4, *) else { return .unknown }
      let key = "\(compiled.path) \(units.rawValue)"
      if let placement = known[key] { return placement }
      let placement = await Self.forecast(compiled, units)
      known[key] = placement
      return placement
    }

    @available(iOS 17.4, macOS 14.4, *)
    private static func forecast(_ compiled: URL, _ units: ComputeUnits) async -> Placement {
      guard
        let plan = try? await MLComputePlan.load(contentsOf: compiled, configuration: units.makeConfiguration()),
        case .program(let program) = plan.modelStructure, let main = program.functions["main"]
      else { return .unknown }
      var forecast = PlacementForecast()
      add(main.block, of: plan, to: &forecast)
      return forecast.placement
    }

    @available(iOS 17.4, macOS 14.4, *)
    private static func add(
      _ block: MLModelStructure.Program.Block, of plan: MLComputePlan, to forecast: inout PlacementForecast
    ) {
      for operation in block.operations {
        for inner in operation.blocks { add(inner, of: plan, to: &forecast) }
        let unit: PlacementForecast.Unit? =
          switch plan.deviceUsage(for: operation)?.preferred {
          case .neuralEngine: .neuralEngine
          case .gpu: .gpu
          case .cpu: .cpu
          default: nil  // constants run nowhere
          }
        if let unit { forecast.add(unit, cost: plan.estimatedCost(of: operation)?.weight) }
      }
    }
  }
#endif
