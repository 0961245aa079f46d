import Foundation
import Glibc
import Testing

@testable import EdgeFleet

@Suite("Files that programs write")
struct OutputFileTests {
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try body(directory)
  }

  private func kind(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  @Test("A plain file is replaced as a whole, with its permissions, and nothing is left beside it")
  func plain() throws {
    try withDirectory { directory in
      let path = "\(directory)/report.json"
      try OutputFile.write("one", to: path)
      chmod(path, 0o640)
      let file = try OutputFile(path)
      try file.write("two")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "one")
      try file.commit()
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["report.json"])
    }
  }

  @Test("A link stays one, and what it leads to is replaced")
  func link() throws {
    try withDirectory { directory in
      for isThere in [true, false] {
        let (target, path) = ("\(directory)/target\(isThere)", "\(directory)/link\(isThere)")
        if isThere { try OutputFile.write("one", to: target) }
        #expect(symlink(target, path) == 0)
        try OutputFile.write("two", to: path)
        #expect(kind(path) == S_IFLNK)
        #expect(try String(contentsOfFile: target, encoding: .utf8) == "two")
      }
    }
  }

  @Test("A device is written to and stays a device")
  func devices() throws {
    // A device of the test's own: nobody is to find the system's replaced when this fails.
    try withDirectory { directory in
      #expect(symlink("/dev/null", "\(directory)/null") == 0)
      #expect(symlink("/dev/full", "\(directory)/full") == 0)
      try OutputFile.check("\(directory)/null")
      try OutputFile.write("text", to: "\(directory)/null")
      #expect { try OutputFile.write("text", to: "\(directory)/full") } throws: {
        "\($0)" == "cannot write \(directory)/full: no space left on device"
      }
      #expect(kind("/dev/null") == S_IFCHR && kind("/dev/full") == S_IFCHR)
    }
  }

  @Test("A FIFO is written to if somebody reads it, and never waited for")
  func fifo() throws {
    try withDirectory { directory in
      let path = "\(directory)/fifo"
      #expect(mkfifo(path, 0o600) == 0)
      #expect { try OutputFile.write("text", to: path) } throws: {
        "\($0)".contains("nobody reads it")
      }
      let reader = open(path, O_RDONLY | O_NONBLOCK)
      defer { close(reader) }
      try OutputFile.write("text", to: path)
      var bytes = [UInt8](repeating: 0, count: 8)
      #expect(read(reader, &bytes, 8) == 4)
      #expect(kind(path) == S_IFIFO)
    }
  }

  @Test("What cannot be written is said before the work, and after it")
  func refused() throws {
    try withDirectory { directory in
      for (path, says) in [
        (directory, "is a directory"), ("\(directory)/", "is a directory"), ("", "needs a name"),
        ("\(directory)/new/", "is a directory"),
        ("\(directory)/no/file", "no such file or directory"),
        ("/dev/fd/999999", "bad file descriptor"),
      ] {
        #expect { try OutputFile.check(path) } throws: { "\($0)".contains(says) }
        #expect { try OutputFile.write("x", to: path) } throws: { "\($0)".contains(says) }
      }
    }
  }

  @Test("The directory of what is kept is never one that depends on where one is")
  func stateDirectory() {
    for (variables, isRoot, path) in [
      (["HOME": "/home/me"], false, "/home/me/.local/state/edgecache/purges"),
      (["HOME": "/home/me", "XDG_STATE_HOME": "/s"], false, "/s/edgecache/purges"),
      (
        ["HOME": "/home/me", "XDG_STATE_HOME": "s"], false, "/home/me/.local/state/edgecache/purges"
      ),
      ([:], false, nil), ([:], true, "/var/lib/edgecache/purges"), (["HOME": "/"], false, nil),
      (["HOME": "//"], false, nil), (["HOME": "."], false, nil), (["HOME": "home"], false, nil),
      (["HOME": "/"], true, "/var/lib/edgecache/purges"),
    ] as [([String: String], Bool, String?)] {
      #expect(StateDirectory.path("purges", isRoot: isRoot) { variables[$0] } == path)
    }
  }

  @Test("The size of a file system is known for directories that are not there yet")
  func fileSystem() {
    #expect(FileSystemSize.of("/") != nil)
    #expect(FileSystemSize.of("/no/such/directory") == FileSystemSize.of("/"))
    #expect(MachineMemory.size ?? .mebibytes(0) > .mebibytes(1))
  }
}
