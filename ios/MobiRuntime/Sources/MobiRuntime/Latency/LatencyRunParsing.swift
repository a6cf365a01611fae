extension LatencyRun {
  static let longestLineBytes = 16 * 1024 * 1024

  /// Reads one line, refusing what `latency_run.schema.json` refuses; unknown keys are allowed, and not kept.
  ///
  /// Throws `MobiError.data` that names the field.
  public init(jsonLine line: some Collection<UInt8>) throws {
    guard line.count <= Self.longestLineBytes else {
      throw MobiError.data(
        "the line is too long", got: "\(line.count)", allowed: "at most \(Self.longestLineBytes) bytes")
    }
    do {
      try self.init(JSONReader(value: JSONParser.parse(line)))
    } catch JSONError.malformed(let reason) {
      throw MobiError.data("the line is not JSON: \(reason)")
    } catch JSONError.oddValue(let path) {
      throw MobiError.data("\(path) is wrong", allowed: "finite numbers, whole characters")
    } catch let mismatch as JSONMismatch {
      throw MobiError.data("\(mismatch.path.dotted) is wrong: \(mismatch.reason)")
    }
  }

  private init(_ line: JSONReader) throws {
    guard case .object(let members) = line.value else { throw MobiError.data("the line is not a JSON object") }
    guard members["schema"] == .string(Self.schema) else {
      throw MobiError.data("schema is wrong: the line is of another schema", allowed: Self.schema)
    }
    runID = try line["run_id"].uuid()
    sessionID = try line["session_id"].uuid()
    processID = try line["process_id"].uuid()
    runIndex = try line["run_index"].integer()
    startedAt = try line["started_at"].timestamp()
    mode = try line["mode"].choice()
    app = try AppInfo(line["app"])
    device = try Device(line["device"])
    bundle = try BundleRef(line["bundle"])
    runtime = try RuntimeInfo(line["runtime"])
    placement = try Placement(line["placement"])
    conditions = try Conditions(line["conditions"])
    cacheState = try line["cache_state"].choice()
    compileNs = try line["compile_ns"].nonNull?.integer()
    loadNs = try line["load_ns"].nonNull?.integer()
    firstInferenceNs = try line["first_inference_ns"].nonNull?.integer()
    sourceImage = try line["source_image"].nonNull.map { try SourceImage($0) }
    warmupNs = try line["warmup_ns"].durations()
    preprocessNs = try line["preprocess_ns"].durations()
    inferenceNs = try line["inference_ns"].durations()
    postprocessNs = try line["postprocess_ns"].durations()
    sampleAtNs = try line["sample_at_ns"].durations()
    thermal = try line["thermal"].items.map { try ThermalSample($0) }
    peakMemoryBytes = try line["memory"]["peak_bytes"].nonNull?.integer()
    chargeMicroampereHours = try line["energy"]["charge_uah"].nonNull?.integer(
      -JSONReader.mostCount...JSONReader.mostCount)
    golden = try line["golden"].nonNull.map { try GoldenCheck($0) }
    perOp = try line.optional("per_op")?.items.map { try OpTime($0) } ?? []
    notes = try line["notes"].nonNull?.text(0...2000)
    try checkTogether(line)
  }

  /// What holds between fields.
  private func checkTogether(_ line: JSONReader) throws {
    switch mode {
    case .cold:
      for key in ["load_ns", "first_inference_ns"] where try line[key].nonNull == nil {
        throw try line[key].mismatch("a cold start has one")
      }
    case .burst, .sustained:
      if golden == nil { throw try line["golden"].mismatch("it is checked before anything is timed") }
    case .production:
      if notes != nil { throw try line["notes"].mismatch("there is none in production") }
      if !Timestamp.isOnTheHour(startedAt) { throw try line["started_at"].mismatch("in production the hour alone") }
    }
    if mode != .cold, inferenceNs.isEmpty { throw try line["inference_ns"].mismatch("there is no sample") }
    guard sampleAtNs.count == inferenceNs.count else {
      throw try line["sample_at_ns"].mismatch("it has one time a sample of inference_ns")
    }
    for (key, values) in [("preprocess_ns", preprocessNs), ("postprocess_ns", postprocessNs)]
    where !values.isEmpty && values.count != inferenceNs.count {
      throw try line[key].mismatch("it is empty or has one time a sample of inference_ns")
    }
    guard zip(sampleAtNs, sampleAtNs.dropFirst()).allSatisfy(<=) else {
      throw try line["sample_at_ns"].mismatch("a monotonic clock never falls")
    }
  }
}

extension JSONReader {
  fileprivate static let mostPositive = 2_147_483_647

  fileprivate func durations() throws -> [Int] {
    try items.map { try $0.integer() }
  }

  fileprivate func uuid() throws -> String {
    try text(where: Self.isUUID, "a UUID")
  }

  fileprivate func timestamp() throws -> String {
    try text(where: Timestamp.isValid, "a time as RFC 3339 has it, with offset, from the year 2000 on")
  }

  private static func isUUID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.count == 36
      && bytes.indices.allSatisfy { index in
        [8, 13, 18, 23].contains(index)
          ? bytes[index] == UInt8(ascii: "-")
          : (48...57).contains(bytes[index]) || (97...102).contains(bytes[index] | 32)
      }
  }
}

extension AppInfo {
  fileprivate init(_ reader: JSONReader) throws {
    name = try reader["name"].text()
    version = try reader["version"].text()
    build = try reader["build"].nonNull?.text()
  }
}

extension Device {
  fileprivate init(_ reader: JSONReader) throws {
    platform = try reader["platform"].text()
    manufacturer = try reader["manufacturer"].nonNull?.text()
    model = try reader["model"].text()
    soc = try reader["soc"].nonNull?.text()
    osVersion = try reader["os_version"].text()
    apiLevel = try reader["api_level"].nonNull?.integer()
    cpuCores = try reader["cpu_cores"].integer(1...JSONReader.mostPositive)
    memoryBytes = try reader["memory_bytes"].nonNull?.integer()
    isEmulator = try reader["is_emulator"].bool()
  }
}

extension BundleRef {
  fileprivate init(_ reader: JSONReader) throws {
    bundleID = try reader["bundle_id"].sha256()
    variantID = try reader["variant_id"].sha256()
    spec = try reader["spec"].nonNull.map { try $0.flatMembers() }
    arch = try reader["arch"].nonNull?.text()
    alpha = try reader["alpha"].nonNull?.number(where: { $0 > 0 }, "above 0")
    resolution = try reader["resolution"].nonNull?.integer(1...65_536)
    recipe = try reader["recipe"].text()
    weightsSource = try reader["weights_source"].choice()
  }
}

extension JSONReader {
  /// An object of scalars and of lists of scalars.
  func flatMembers() throws -> [String: JSONValue] {
    for (key, member) in try members {
      let place = JSONReader(value: member, path: path.appending(.key(key)))
      let scalars: [JSONReader] = if case .array = member { try place.items } else { [place] }
      for scalar in scalars {
        switch scalar.value {
        case .array, .object: throw scalar.mismatch("it is nested")
        default: break
        }
      }
    }
    return try members
  }
}

extension RuntimeInfo {
  fileprivate init(_ reader: JSONReader) throws {
    name = try reader["name"].text()
    version = try reader["version"].text()
    backendRequested = try reader["backend_requested"].nonNull?.text()
    computeUnits = try reader["compute_units"].nonNull?.text()
    threads = try reader["threads"].nonNull?.integer(1...4096)
  }
}

extension Placement {
  fileprivate init(_ reader: JSONReader) throws {
    source = try reader["source"].choice()
    let units = try reader["share"]
    guard try units.members.count <= 32,
      try units.members.keys.allSatisfy({ (1...200).contains($0.unicodeScalars.count) })
    else { throw units.mismatch("it has more than 32 units, or a unit's name is too long") }
    share = [:]
    for unit in try units.members.keys {
      share[unit] = try units[unit].number(where: (0...1).contains, "in 0 to 1")
    }
  }
}

extension Conditions {
  fileprivate init(_ reader: JSONReader) throws {
    batteryLevel = try reader["battery_level"].nonNull?.number(where: (0...1).contains, "in 0 to 1")
    charging = try reader["charging"].nonNull?.bool()
    lowPowerMode = try reader["low_power_mode"].nonNull?.bool()
    thermalBefore = try reader["thermal_before"].nonNull?.choice()
    thermalAfter = try reader["thermal_after"].nonNull?.choice()
    thermalRaw = try reader["thermal_raw"].nonNull?.text()
    batteryCelsius = try reader["battery_celsius"].nonNull?.number(where: (-100...200).contains, "in -100 to 200")
    foreground = try reader["foreground"].nonNull?.bool()
  }
}

extension SourceImage {
  fileprivate init(_ reader: JSONReader) throws {
    width = try reader["width"].integer(1...JSONReader.mostPositive)
    height = try reader["height"].integer(1...JSONReader.mostPositive)
  }
}

extension ThermalSample {
  fileprivate init(_ reader: JSONReader) throws {
    atNs = try reader["at_ns"].integer()
    state = try reader["state"].choice()
  }
}

extension GoldenCheck {
  fileprivate init(_ reader: JSONReader) throws {
    passed = try reader["passed"].bool()
    maxAbsError = try reader["max_abs_error"].nonNull?.number(where: { $0 >= 0 }, "at least 0")
    top1Matches = try reader["top1_matches"].bool()
  }
}

extension OpTime {
  fileprivate init(_ reader: JSONReader) throws {
    name = try reader["name"].text()
    kind = try reader["kind"].nonNull?.text()
    ns = try reader["ns"].integer()
  }
}
