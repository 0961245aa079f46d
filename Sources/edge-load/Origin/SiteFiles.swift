// The files below the origin's root. Everything here blocks (realpath, open, readdir) and therefore
// runs on the thread pool, never on an event loop.
//
// Invariant: a descriptor that leaves this file belongs to a regular file whose real path is below
// the real root, whatever symbolic links lie between.

import Glibc

/// A regular file, open for reading; the receiver closes the descriptor.
struct SiteFile: Equatable, Sendable {
  /// The open descriptor.
  var descriptor: Int32
  /// Content length in bytes when it was opened.
  var size: Int
  /// Last modification, in seconds since 1970.
  var modified: Int64
  /// The strong entity tag: changes with modification time (to the nanosecond) and size.
  var entityTag: String
  /// The last path segment, which decides media type and cache policy.
  var name: String

  /// Gives the descriptor back; for a file that is not sent after all.
  func close() {
    _ = Glibc.close(descriptor)
  }
}

/// One line of a directory listing.
struct SiteEntry: Equatable, Sendable {
  /// The file's name, without a path.
  var name: String
  /// Whether it is a directory.
  var isDirectory: Bool
}

/// What a path names below the root.
enum SiteFinding: Equatable, Sendable {
  /// A file to serve.
  case file(SiteFile)
  /// A directory without index.html.
  case listing([SiteEntry])
  /// A directory asked for without its closing slash.
  case redirect
  /// Nothing that is served: absent, hidden, outside of the root, or no regular file.
  case absent
  /// The kernel refused, with this errno.
  case failed(Int32)
}

/// A directory tree that is served.
struct SiteFiles: Sendable {
  /// The root's real path, without a closing slash.
  let root: String

  /// Takes a directory as root; nil when there is none at the path.
  init?(root path: String) {
    guard let real = Self.realPath(path), Self.isDirectory(real) else { return nil }
    root = real == "/" ? "" : real
  }

  /// Finds and opens what the decoded segments name.
  func find(_ segments: [String], endsInSlash: Bool) -> SiteFinding {
    // Hidden files (.git, .env) are never meant for the web; .well-known is (RFC 8615).
    guard segments.allSatisfy({ !$0.hasPrefix(".") || $0 == ".well-known" }) else {
      return .absent
    }
    let asked = ([root] + segments).joined(separator: "/")
    guard let real = Self.realPath(asked.isEmpty ? "/" : asked), isBelowRoot(real) else {
      return .absent
    }
    guard Self.isDirectory(real) else {
      return endsInSlash ? .absent : open(real, name: segments.last ?? "")
    }
    guard endsInSlash || segments.isEmpty else { return .redirect }
    if let index = Self.realPath(real + "/index.html"), isBelowRoot(index) {
      return open(index, name: "index.html")
    }
    return list(real)
  }

  private func isBelowRoot(_ real: String) -> Bool {
    real == root || real.hasPrefix(root + "/")
  }

  private func open(_ path: String, name: String) -> SiteFinding {
    // O_NONBLOCK: opening a FIFO must not wait for its writer. O_NOFOLLOW: the path is real.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT ? .absent : .failed(errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      Glibc.close(descriptor)
      return .absent
    }
    let (seconds, nanoseconds) = (Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec))
    let stamp = String(seconds &* 1_000_000_000 &+ nanoseconds, radix: 16)
    return .file(
      SiteFile(
        descriptor: descriptor, size: Int(status.st_size), modified: seconds,
        entityTag: "\"\(stamp)-\(String(status.st_size, radix: 16))\"", name: name))
  }

  private func list(_ directory: String) -> SiteFinding {
    guard let stream = opendir(directory) else { return .failed(errno) }
    defer { closedir(stream) }
    var entries: [SiteEntry] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard !name.hasPrefix(".") else { continue }
      // Only what find(_:endsInSlash:) would serve is listed.
      guard let real = Self.realPath(directory + "/" + name), isBelowRoot(real) else { continue }
      entries.append(SiteEntry(name: name, isDirectory: Self.isDirectory(real)))
    }
    return .listing(entries.sorted { $0.name < $1.name })
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
