import EdgeCache
import Glibc

// What is in a directory that is given to --disk. What is not ours is not written between: segments would be made
// and cut where somebody else has files.
//
// Unsafe memory. Invariant: an entry of a directory is used before the next one is read, and its name ends with a
// zero within it.

/// What is in a directory.
struct DirectoryContent {
  /// Files that are not those of a store, in the order of their names.
  private var others: [String] = []
  /// True if some file begins as one of a store does, whatever is wrong with it.
  private var isStore = false
  private let path: String

  /// Looks at a directory; nil if there is none, or it cannot be read: then what is done next says why.
  init?(_ path: String) {
    self.path = path
    guard let names = Self.names(path) else { return nil }
    let segments = names.contains("segments") ? Self.names("\(path)/segments") ?? [] : []
    let marks = [(DiskFile.header, "EDGESTOR"), (.purgeLog, "EPRG"), (.purgeMark, "EDGEMARK")]
    isStore = marks.contains { file, mark in Self.begins("\(path)/\(file)", mark) == true }
    for name in names where !Self.isOurs(name) { others.append(name) }
    for name in segments {
      switch Self.isSegment(name) ? Self.begins("\(path)/segments/\(name)", "EDGESEGM") : false {
      case true?: isStore = true
      case false?: others.append("segments/\(name)")
      case nil: break
      }
    }
    // What has our names and is not ours.
    for (file, mark) in marks where Self.begins("\(path)/\(file)", mark) == false {
      others.append("\(file)")
    }
    others.sort()
  }

  /// Why nothing may be written here; nil if it is a store, or empty.
  var refusal: String? {
    guard !isStore, !others.isEmpty else { return nil }
    var list = others.prefix(3).joined(separator: ", ")
    if others.count > 3 { list += " and \(others.count - 3) more" }
    return
      "it is neither empty nor a disk store: there is \(list); name a directory of its own, such as "
      + "\(path)/edgecache"
  }

  /// True if a file of a store, or what a file system keeps for itself, has that name.
  private static func isOurs(_ name: String) -> Bool {
    if ["segments", "lost+found", FileVolume.lockFile].contains(name) { return true }
    let files: [DiskFile] = [
      .header, .purgeLog, .purgeMark, .damagedHeader, .damagedLog, .spare,
    ]
    return files.contains { name == "\($0)" || name == "\($0)\(FileVolume.newSuffix)" }
  }

  private static func isSegment(_ name: String) -> Bool {
    name.utf8.count >= 6 && name.utf8.allSatisfy { (48...57).contains($0) }
  }

  /// True if a file begins like that; nil if there is none, or nothing was written to it yet.
  private static func begins(_ path: String, _ mark: String) -> Bool? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: mark.utf8.count)
    let count = read(file, &bytes, bytes.count)
    if bytes.elementsEqual(mark.utf8) { return true }
    return count <= 0 || bytes.allSatisfy { $0 == 0 } ? nil : false
  }

  /// The names in a directory but for itself and what it is in; nil if it cannot be read.
  private static func names(_ path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
