import Foundation
import Testing

@testable import MobiRuntime

/// links.json and plans.json: what comes from a QR code and from a plan's file.
@Suite struct LabTextsTests {
  struct Links: Decodable {
    let good: [GoodLink]
    let bad, withoutTls: [BadLink]
  }

  struct GoodLink: Decodable {
    struct Meaning: Decodable {
      let host, fingerprint, code: String
      let port: Int
    }

    let name, link: String
    let expect: Meaning
  }

  struct BadLink: Decodable {
    let name, link, field: String
  }

  struct Plans: Decodable {
    let good: [GoodPlan]
    let bad: [BadPlan]
  }

  struct GoodPlan: Decodable {
    struct Meaning: Decodable {
      let bundles: [String]
      let mode: String
      let runs, samples: Int
      let seconds: Double
      let threads: Int?
      let computeUnits: String?
    }

    let name, plan: String
    let expect: Meaning
  }

  struct BadPlan: Decodable {
    let name, plan, field: String
  }

  @Test func goodLinksMeanWhatTheySay() throws {
    let links = try ContractFiles.decode(Links.self, "links.json").good
    #expect(links.count >= 7)
    for item in links {
      let link = try JoinLink(item.link)
      #expect(link.host == item.expect.host && link.port == item.expect.port, "\(item.name)")
      #expect(link.fingerprint == item.expect.fingerprint && link.code == item.expect.code, "\(item.name)")
    }
  }

  @Test func badLinksAreRefusedByTheirPart() throws {
    let links = try ContractFiles.decode(Links.self, "links.json")
    #expect(links.bad.count >= 30 && links.withoutTls.count >= 3)
    for item in links.bad + links.withoutTls {
      let error = mobiError { _ = try JoinLink(item.link) }
      #expect(error?.kind == "ServerError", "\(item.name)")
      #expect(error?.text.hasPrefix("the \(item.field) of the join link") == true, "\(item.name): \(error?.text ?? "")")
      #expect(error?.text.contains("\n") == false && error?.text.contains("Zq3-x_9Kd2LmPw") == false, "\(item.name)")
    }
  }

  @Test func goodPlansTakeTheDefaults() throws {
    for item in try ContractFiles.decode(Plans.self, "plans.json").good {
      let plan = try BenchPlan(parsing: Array(item.plan.utf8))
      #expect(plan.bundles == item.expect.bundles && plan.mode.rawValue == item.expect.mode, "\(item.name)")
      #expect(plan.config.runs == item.expect.runs && plan.config.samples == item.expect.samples, "\(item.name)")
      #expect(plan.config.seconds == item.expect.seconds, "\(item.name)")
      #expect(plan.config.threads == item.expect.threads, "\(item.name)")
      #expect(plan.computeUnits?.rawValue == item.expect.computeUnits, "\(item.name)")
      #expect(plan.config.coldStarts == 0)
    }
  }

  @Test func badPlansAreRefusedByTheirKey() throws {
    let plans = try ContractFiles.decode(Plans.self, "plans.json").bad
    #expect(plans.count >= 20)
    for item in plans {
      let error = mobiError { _ = try BenchPlan(parsing: Array(item.plan.utf8)) }
      #expect(error?.kind == "ConfigError", "\(item.name): \(error?.text ?? "it was taken")")
      #expect(error?.text.contains(item.field) == true || item.field.isEmpty, "\(item.name): \(error?.text ?? "")")
    }
    let large = mobiError { _ = try BenchPlan(parsing: [UInt8](repeating: 32, count: 65_537)) }
    #expect(large?.text.contains("at most 64 KiB") == true)
  }
}
