// Where programs keep what must outlive them, when nobody says where: a place of the user's, or of the system's for root;
// never one that depends on where one happens to be.

/// The directory for what a program of EdgeCache keeps.
public enum StateDirectory {
  /// The directory of that name, as the variables of the environment have it; nil if there is no place.
  ///
  /// A path that is not absolute is ignored, as the XDG Base Directory Specification asks for. Users without a directory
  /// of their own often have `/`, which is none either.
  public static func path(
    _ name: String, isRoot: Bool, variable: (String) -> String? = Environment.value
  ) -> String? {
    if let state = variable("XDG_STATE_HOME"), isPlace(state) {
      return "\(state)/edgecache/\(name)"
    }
    if let home = variable("HOME"), isPlace(home) {
      return "\(home)/.local/state/edgecache/\(name)"
    }
    return isRoot ? "/var/lib/edgecache/\(name)" : nil
  }

  private static func isPlace(_ path: String) -> Bool {
    path.hasPrefix("/") && path.contains { $0 != "/" && $0 != "." }
  }
}
