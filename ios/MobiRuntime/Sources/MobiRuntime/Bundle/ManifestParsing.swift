extension Manifest {
  private static let exportAgain = "Export it again, or copy it again from where it was whole"
  private static let seal = Array("\"manifest_sha256\": \"".utf8)
  private static let digits = 64
  private static let notInBundleID = ["bundle_id", "created_at", "manifest_sha256", "parity", "request_sha256"]

  /// Reads the bytes of a manifest.json that may be hostile.
  ///
  /// Throws `MobiError.bundle`: too large, not JSON, a key twice, a field missing or wrong, or a hash that does not fit.
  public init(parsing content: [UInt8]) throws {
    guard content.count <= Self.largestBytes else {
      throw MobiError.bundle("\(Self.fileName) is too large", got: "\(content.count)", allowed: "at most 1 MiB")
    }
    do {
      let document = JSONReader(value: try JSONParser.parse(content))
      try self.init(document)
      try Self.checkSeal(of: content, against: try document["manifest_sha256"].sha256())
      try Self.checkBundleID(bundleID, of: try document.members)
    } catch JSONError.malformed(let reason) {
      throw MobiError.bundle("\(Self.fileName) is not JSON: \(reason)", hint: Self.exportAgain)
    } catch JSONError.oddValue(let path) {
      throw MobiError.bundle(
        "\(Self.fileName) is wrong at $.\(path): finite numbers, whole characters", hint: Self.exportAgain)
    } catch let mismatch as JSONMismatch {
      let place = mismatch.path.steps.isEmpty ? "$" : "$.\(mismatch.path.dotted)"
      throw MobiError.bundle("\(Self.fileName) is wrong at \(place): \(mismatch.reason)", hint: Self.exportAgain)
    }
  }

  /// The hash is over the file's own bytes with its digits replaced by zeros, so no spelling of JSON has to be agreed on.
  private static func checkSeal(of content: [UInt8], against expected: String) throws {
    let starts = content.indices.filter { index in
      content[index] == seal[0] && content[index...].starts(with: seal)
    }
    guard let start = starts.first, starts.count == 1, start + seal.count + digits <= content.count else {
      throw MobiError.bundle(
        "\(fileName) must hold manifest_sha256 once, in its own spelling", hint: exportAgain)
    }
    var unsealed = content
    let place = start + seal.count
    unsealed.replaceSubrange(place..<place + digits, with: repeatElement(UInt8(ascii: "0"), count: digits))
    guard SHA256.hexDigest(of: unsealed) == expected else {
      throw MobiError.bundle(
        "\(fileName) was changed after it was written: its hash does not fit", hint: exportAgain)
    }
  }

  /// Numbers keep the spelling that they have in the file, which Python wrote.
  private static func checkBundleID(_ bundleID: String, of members: [String: JSONValue]) throws {
    let identity = JSONValue.object(members.filter { !notInBundleID.contains($0.key) })
    guard SHA256.hexDigest(of: identity.canonical) == bundleID else {
      throw MobiError.bundle("\(fileName) has a bundle_id of another bundle", got: bundleID.shown)
    }
  }

  private init(_ document: JSONReader) throws {
    try document["schema"].exactly(Self.schema)
    bundleID = try document["bundle_id"].sha256()
    variantID = try document["variant_id"].sha256()
    _ = try document["created_at"].text(where: Self.isSecondInUTC, "a time in UTC, to the second")
    _ = try document["sdk_version"].text()
    let tools = try document["tool_versions"]
    _ = try tools["torch"].text()
    _ = try tools["executorch"].nonNull?.text(0...200)
    _ = try tools["coremltools"].nonNull?.text(0...200)
    model = try Model(document["model"])
    target = try Target(document["target"])
    input = try Input(document["input"])
    output = try Output(document["output"])
    delegatedMacs = try Self.checkDelegation(document["delegation"])
    try Self.checkParity(document["parity"])
    try Self.checkProvenance(document)
    let golden = try document["golden"]
    try golden["image"].exactly(ModelBundle.goldenImageName)
    try golden["input"].exactly(ModelBundle.goldenInputName)
    try golden["output"].exactly(ModelBundle.goldenOutputName)
    goldenTolerance = try golden["tolerance"].number(where: { $0 > 0 }, "above 0")
    files = try Self.readFiles(document["files"])
    _ = try document["manifest_sha256"].sha256()
  }

  private static func isSecondInUTC(_ text: String) -> Bool {
    let pattern = Array("0000-00-00T00:00:00Z".utf8)
    let bytes = Array(text.utf8)
    return bytes.count == pattern.count
      && zip(bytes, pattern).allSatisfy { byte, place in place == 48 ? (48...57).contains(byte) : byte == place }
  }

  private static func readFiles(_ reader: JSONReader) throws -> [String: FileEntry] {
    let members = try reader.members
    guard (1...1000).contains(members.count) else { throw reader.mismatch("it has not 1 to 1000 files") }
    var files: [String: FileEntry] = [:]
    for name in members.keys {
      let entry = try reader[name]
      guard (1...1024).contains(name.unicodeScalars.count) else {
        throw entry.mismatch("the path has not 1 to 1024 characters")
      }
      files[name] = FileEntry(
        sha256: try entry["sha256"].sha256(), sizeBytes: try entry["size_bytes"].integer(0...4_294_967_296))
    }
    return files
  }

  private static func checkDelegation(_ reader: JSONReader) throws -> Int {
    _ = try reader["ops_total"].naturalNumber()
    _ = try reader["ops_delegated"].naturalNumber()
    for item in try reader["fallback"].items {
      _ = try item["op"].text()
      _ = try item["count"].naturalNumber(from: 1)
      _ = try item["reason"].text(0...2000)
    }
    return try reader["macs_delegated"].naturalNumber()
  }

  private static func checkParity(_ reader: JSONReader) throws {
    _ = try reader["images"].naturalNumber(from: 1)
    _ = try reader["image_set_sha256"].sha256()
    _ = try reader["top1_agreement"].share()
    _ = try reader["max_abs_error"].number(where: { $0 >= 0 }, "at least 0")
    _ = try reader["sqnr_db"].number()
    _ = try reader["tolerance"].nonNull?.number(where: { $0 > 0 }, "above 0")
    _ = try reader.optional("measured_on")?.text(where: ["artefact", "graph"].contains, "artefact or graph")
    guard let heldOut = try reader.optional("held_out")?.nonNull else { return }
    _ = try heldOut["source"].text(0...2000)
    _ = try heldOut["images"].naturalNumber(from: 1)
    _ = try heldOut["image_set_sha256"].sha256()
    for key in ["network_top1", "artefact_top1", "top1_agreement"] { _ = try heldOut[key].share() }
    _ = try heldOut["max_drop"].number()
    _ = try heldOut["kept_anyway"].bool()
  }

  private static func checkProvenance(_ document: JSONReader) throws {
    _ = try document.optional("request_sha256")?.sha256()
    guard let calibration = try document.optional("calibration") else { return }
    _ = try calibration["source"].text(0...2000)
    _ = try calibration["images"].naturalNumber(from: 1)
    _ = try calibration["image_set_sha256"].sha256()
  }
}

extension Manifest.Model {
  fileprivate init(_ reader: JSONReader) throws {
    spec = try reader["spec"].nonNull?.members
    arch = try reader["arch"].nonNull?.identifier()
    alpha = try reader["alpha"].nonNull?.number(where: { $0 > 0 }, "above 0")
    resolution = try reader["resolution"].nonNull?.naturalNumber(from: 1)
    numClasses = try reader["num_classes"].naturalNumber(from: 1)
    params = try reader["params"].naturalNumber()
    macs = try reader["macs"].naturalNumber()
    let weights = try reader["weights"]
    weightsSource = try weights["source"].choice()
    _ = try weights["detail"].text(0...2000)
    _ = try weights["sha256"].sha256()
    for technique in try reader["compression"].items { _ = try technique.members }
  }
}

extension Manifest.Target {
  fileprivate init(_ reader: JSONReader) throws {
    platform = try reader["platform"].choice()
    runtime = try reader["runtime"].text()
    recipe = try reader["recipe"].identifier()
    backend = try reader["backend"].text()
    minOS = try reader["min_os"].text()
    computeUnits = try reader["compute_units"].nonNull?.text(0...200)
    minRuntime = try reader.optional("min_runtime")?.nonNull?.text(
      where: { Version($0) != nil }, "a version such as 1.4.1")
    _ = try reader.optional("specification_version")?.nonNull?.naturalNumber(from: 1)
  }
}

extension Manifest.Input {
  fileprivate init(_ reader: JSONReader) throws {
    name = try reader["name"].text()
    kind = try reader["kind"].choice()
    let shape = try reader["shape"].items
    guard shape.count == 4 else { throw try reader["shape"].mismatch("it has not four sides") }
    guard try shape[0].integer() == 1, try shape[1].integer() == 3 else {
      throw try reader["shape"].mismatch("it is not (1,3,H,W)")
    }
    height = try shape[2].naturalNumber(from: 1)
    width = try shape[3].naturalNumber(from: 1)
    dataType = try reader["dtype"].choice()
    try reader["color"].exactly("RGB")
    let preprocess = try reader["preprocess"]
    resize = try preprocess["resize"].integer(1...4096)
    crop = try preprocess["crop"].integer(1...2048)
    try preprocess["interpolation"].exactly("bilinear")
    _ = try preprocess["scale"].number(where: { $0 > 0 }, "above 0")
    for key in ["mean", "std"] {
      let channels = try preprocess[key].items
      guard channels.count == 3 else { throw try preprocess[key].mismatch("it has not three numbers") }
      for channel in channels {
        _ = try key == "std" ? channel.number(where: { $0 > 0 }, "above 0") : channel.number()
      }
    }
    guard try preprocess["baked_in"].bool() else { throw try preprocess["baked_in"].mismatch("it is not true") }
  }
}

extension Manifest.Output {
  fileprivate init(_ reader: JSONReader) throws {
    name = try reader["name"].text()
    shape = try reader["shape"].items.map { try $0.naturalNumber(from: 1) }
    guard shape.count == 2 else { throw try reader["shape"].mismatch("it has not two sides") }
    dataType = try reader["dtype"].choice()
    activation = try reader["activation"].choice()
  }
}

extension JSONReader {
  fileprivate func naturalNumber(from least: Int = 0) throws -> Int {
    try integer(least...Int.max)
  }

  fileprivate func share() throws -> Double {
    try number(where: (0...1).contains, "in 0 to 1")
  }

  /// A recipe's or an architecture's name.
  fileprivate func identifier() throws -> String {
    try text(
      where: { name in
        (1...64).contains(name.utf8.count) && (97...122).contains(name.utf8.first!)
          && name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
      }, "a lowercase name")
  }
}
