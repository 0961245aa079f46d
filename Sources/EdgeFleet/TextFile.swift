// Small files an operator points at: the configuration, a token. One place reads them, so that
// "no such file" is said in the same plain words everywhere.

import FoundationEssentials

/// Reading of small files.
enum TextFile {
  /// Why a file was not read.
  struct Unreadable: Error, Sendable, Hashable {
    let reason: String
  }

  /// Configuration and tokens are far smaller; a larger file is the wrong file.
  static let largest = 16 << 20

  /// The content of the file at `path`.
  static func bytes(path: String) throws(Unreadable) -> [UInt8] {
    do {
      let data = try Data(contentsOf: URL(filePath: path))
      guard data.count <= largest else {
        throw Unreadable(reason: "is larger than \(ByteSize(bytes: largest))")
      }
      return Array(data)
    } catch let unreadable as Unreadable {
      throw unreadable
    } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
      throw Unreadable(reason: "no such file")
    } catch let error as CocoaError where error.code == .fileReadNoPermission {
      throw Unreadable(reason: "permission denied")
    } catch {
      throw Unreadable(reason: "cannot be read: \(error)")
    }
  }
}
