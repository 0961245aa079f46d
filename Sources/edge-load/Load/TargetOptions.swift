// Which servers a run reads from: URLs, or the PoPs of a fleet's configuration.

import ArgumentParser
import EdgeFleet

/// The servers of a run.
struct TargetOptions: ParsableArguments {
  @Option(
    help:
      "A server's http:// URL; repeat it for several, each with its share as http://HOST:PORT@WEIGHT."
  )
  var target: [String] = []

  @Option(
    help: "Take the PoPs of this configuration as targets, such as Config/pops.json.",
    completion: .file(extensions: ["json"]))
  var pops: String?

  @Option(
    help: "Only this PoP of the configuration, as ID or ID@WEIGHT; repeatable.",
    completion: .custom { words, _, _ in
      FleetConfiguration.popNames(words, after: "--pops")
    })
  var pop: [String] = []

  @Option(help: "Purges per second while the run reads (see docs/edge-load.md).")
  var purgeRate: Double?

  @Option(help: "How many resources are purged in turn.")
  var purgeUrls = 16

  @Option(help: "The admin API of a PoP, for purges, unless --pops says; repeatable.")
  var admin: [String] = []

  @Option(help: "A file with the token of the admin API.", completion: .file())
  var tokenFile: String?

  @Option(help: "The origin, an `edge-load origin`, that changes what is purged.")
  var origin: String?

  private struct Member {
    var pop: FleetConfiguration.PoP
    var weight: Double
  }

  /// The servers.
  func targets() throws(LoadPlanError) -> [LoadTarget] {
    var targets: [LoadTarget] = []
    for url in target { targets.append(try LoadTarget(argument: url)) }
    for member in try members() {
      for endpoint in member.pop.listen where endpoint.port > 0 {
        // Where it listens on every address, this machine is one of them.
        let host = endpoint.isWildcard ? "127.0.0.1" : endpoint.host
        var target = LoadTarget(host: host, port: endpoint.port, path: "/")
        target.weight = member.weight / Double(member.pop.listen.count)
        targets.append(target)
      }
    }
    return targets
  }

  /// The purge test, if one is wanted.
  func purges() throws(LoadPlanError) -> PurgePlan? {
    guard let purgeRate else { return nil }
    var admins: [PurgeFanOut.Target] = []
    for url in admin {
      let place = try LoadTarget(url: url)
      admins.append(.init(admin: SocketEndpoint(host: place.host, port: place.port)))
    }
    if admins.isEmpty { admins = try members().map { PurgeFanOut.Target($0.pop) } }
    guard let origin else { throw .value(option: "--purge-rate", need: "used with --origin URL") }
    var token: AdminToken?
    if let tokenFile {
      do throws(AdminToken.Problem) {
        token = try AdminToken.read(path: tokenFile)
      } catch {
        throw .configuration("--token-file: \(error.description)")
      }
    }
    return PurgePlan(
      rate: purgeRate, admins: admins, token: token, origin: try LoadTarget(url: origin),
      resources: purgeUrls)
  }

  private func members() throws(LoadPlanError) -> [Member] {
    guard let pops else {
      if !pop.isEmpty { throw .value(option: "--pop", need: "used with --pops FILE") }
      return []
    }
    let configuration: FleetConfiguration
    do throws(ConfigurationError) {
      configuration = try FleetConfiguration.load(path: pops)
    } catch {
      throw .configuration("--pops: \(error.description)")
    }
    if pop.isEmpty { return configuration.pops.map { Member(pop: $0, weight: 1) } }
    var members: [Member] = []
    for text in pop {
      let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      guard let weight = parts.count == 2 ? LoadTarget.weight(parts[1]) : 1
      else { throw .value(option: "--pop", need: "ID or ID@WEIGHT, such as iad1@2") }
      do throws(UnknownPoP) {
        members.append(Member(pop: try configuration.pop(id: String(parts[0])), weight: weight))
      } catch {
        throw .configuration("--pop: \(error.description)")
      }
    }
    return members
  }
}
