// Who opens a store and who only looks at one read the same header and say the same of it, each with
// advice of its own: the one wants a directory to write to, the other one to look at.

/// An error of somebody who reads the header of a store: what can be wrong with that is among its cases.
protocol StoreHeaderFailure: Error {
  /// There is something else.
  static var notAStore: Self { get }
  /// What says how the store is made up is damaged.
  static var damaged: Self { get }
  /// It has another version than the one that this program reads.
  static func version(_ version: UInt32) -> Self
  /// The file could not be read.
  static func failed(_ error: DiskError) -> Self
}

extension DiskProblem: StoreHeaderFailure {}
extension DiskInspectionProblem: StoreHeaderFailure {}

extension StoreHeader {
  /// The header of the store on a volume; nil if there is none. What is wrong is thrown as a `Failure`.
  static func read<Failure: StoreHeaderFailure>(
    _ volume: any DiskVolume, or _: Failure.Type
  ) throws(Failure) -> StoreHeader? {
    let bytes: [UInt8]
    do throws(DiskError) {
      guard let size = try volume.size(.header) else { return nil }
      // A crash while a new store is made leaves an empty file, and nothing else.
      if size == 0, !isBesideStore(volume) { return nil }
      bytes = try volume.bytes(.header, at: 0, count: 4096)
    } catch {
      throw .failed(error)
    }
    do throws(Problem) {
      return try StoreHeader(bytes)
    } catch {
      switch error {
      case .notAStore where isBesideStore(volume): throw .damaged
      case .notAStore: throw .notAStore
      case .damaged: throw .damaged
      case .version(let version): throw .version(version)
      }
    }
  }
}

extension StoreHeader {
  /// True if other files that are there are those of a store, whatever the header is.
  static func isBesideStore(_ volume: any DiskVolume) -> Bool {
    let files: [(DiskFile, String)] =
      [(.purgeLog, "EPRG"), (.purgeMark, "EDGEMARK")] + (0..<4).map { (.segment($0), "EDGESEGM") }
    return files.contains { file, mark in
      guard let size = try? volume.size(file), size >= mark.utf8.count else { return false }
      return (try? volume.bytes(file, at: 0, count: mark.utf8.count)) == Array(mark.utf8)
    }
  }
}

extension StoreHeader.Problem: CustomStringConvertible {
  /// What is wrong, for a sentence that goes on with what to do.
  var description: String {
    switch self {
    case .notAStore: "STORE is not the header of a store"
    case .damaged: "STORE is damaged"
    case .version(let version):
      "it has format version \(version), and this program reads \(DiskFormat.version)"
    }
  }
}

extension DiskFinding {
  /// A store of which nothing can be read, for its header is damaged.
  public static let damagedHeader = DiskFinding(
    kind: .damage, file: .header, offset: 0, what: "the header of the store is damaged",
    meaning:
      "what is stored cannot be told apart any more; a PoP that starts on it begins anew, empty, and "
      + "keeps the file as \(DiskFile.damagedHeader)")

  /// The same where there is no header beside what else belongs to a store.
  public static let missingHeader = DiskFinding(
    kind: .damage, file: .header, offset: 0,
    what: "the file is missing, and other files of a store are there",
    meaning:
      "what is stored cannot be told apart any more; a PoP that starts on it begins anew, empty, and "
      + "keeps purge.log as \(DiskFile.damagedLog)")
}
