extension LatencyRun {
  /// This run as one line of JSON, keys sorted, without the line's end.
  ///
  /// Throws `MobiError.data` that names the field if the run breaks the contract.
  public func jsonLine() throws -> [UInt8] {
    let line = json.canonical
    _ = try LatencyRun(jsonLine: line)
    return line
  }

  var json: JSONValue {
    .object([
      "schema": .string(Self.schema), "run_id": .string(runID), "session_id": .string(sessionID),
      "process_id": .string(processID), "run_index": .integer(runIndex), "started_at": .string(startedAt),
      "mode": .string(mode.rawValue), "app": app.json, "device": device.json, "bundle": bundle.json,
      "runtime": runtime.json, "placement": placement.json, "conditions": conditions.json,
      "cache_state": .string(cacheState.rawValue), "compile_ns": JSONValue(compileNs), "load_ns": JSONValue(loadNs),
      "first_inference_ns": JSONValue(firstInferenceNs),
      "source_image": sourceImage.map { .object(["width": .integer($0.width), "height": .integer($0.height)]) }
        ?? .null,
      "warmup_ns": .array(warmupNs.map(JSONValue.integer)),
      "preprocess_ns": .array(preprocessNs.map(JSONValue.integer)),
      "inference_ns": .array(inferenceNs.map(JSONValue.integer)),
      "postprocess_ns": .array(postprocessNs.map(JSONValue.integer)),
      "sample_at_ns": .array(sampleAtNs.map(JSONValue.integer)),
      "thermal": .array(thermal.map { .object(["at_ns": .integer($0.atNs), "state": .string($0.state.rawValue)]) }),
      "memory": .object(["peak_bytes": JSONValue(peakMemoryBytes)]),
      "energy": .object(["charge_uah": JSONValue(chargeMicroampereHours)]),
      "golden": golden?.json ?? .null,
      "per_op": .array(
        perOp.map { .object(["name": .string($0.name), "kind": JSONValue($0.kind), "ns": .integer($0.ns)]) }),
      "notes": JSONValue(notes),
    ])
  }
}

extension AppInfo {
  fileprivate var json: JSONValue {
    .object(["name": .string(name), "version": .string(version), "build": JSONValue(build)])
  }
}

extension Device {
  fileprivate var json: JSONValue {
    .object([
      "platform": .string(platform), "manufacturer": JSONValue(manufacturer), "model": .string(model),
      "soc": JSONValue(soc), "os_version": .string(osVersion), "api_level": JSONValue(apiLevel),
      "cpu_cores": .integer(cpuCores), "memory_bytes": JSONValue(memoryBytes), "is_emulator": .bool(isEmulator),
    ])
  }
}

extension BundleRef {
  fileprivate var json: JSONValue {
    .object([
      "bundle_id": .string(bundleID), "variant_id": .string(variantID), "spec": spec.map(JSONValue.object) ?? .null,
      "arch": JSONValue(arch), "alpha": JSONValue(alpha), "resolution": JSONValue(resolution),
      "recipe": .string(recipe), "weights_source": .string(weightsSource.rawValue),
    ])
  }
}

extension RuntimeInfo {
  fileprivate var json: JSONValue {
    .object([
      "name": .string(name), "version": .string(version), "backend_requested": JSONValue(backendRequested),
      "compute_units": JSONValue(computeUnits), "threads": JSONValue(threads),
    ])
  }
}

extension Placement {
  fileprivate var json: JSONValue {
    .object(["source": .string(source.rawValue), "share": .object(share.mapValues { JSONValue($0) })])
  }
}

extension Conditions {
  fileprivate var json: JSONValue {
    .object([
      "battery_level": JSONValue(batteryLevel), "charging": JSONValue(charging),
      "low_power_mode": JSONValue(lowPowerMode), "thermal_before": JSONValue(thermalBefore?.rawValue),
      "thermal_after": JSONValue(thermalAfter?.rawValue), "thermal_raw": JSONValue(thermalRaw),
      "battery_celsius": JSONValue(batteryCelsius), "foreground": JSONValue(foreground),
    ])
  }
}

extension GoldenCheck {
  fileprivate var json: JSONValue {
    .object([
      "passed": .bool(passed), "max_abs_error": JSONValue(maxAbsError), "top1_matches": .bool(top1Matches),
    ])
  }
}
