// What the environment says. A variable that is empty says no more than one that is not there.

import FoundationEssentials

/// The environment of this process.
public enum Environment {
  /// The value of a variable; nil if it is empty, or not there.
  public static func value(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}
