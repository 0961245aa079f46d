// One place for the version, so that every executable and the health report say the same.

/// Which EdgeCache this is.
public enum Release {
  /// The version, as `--version` prints it and `GET /health` reports it.
  public static let version = "0.1.0"
}
