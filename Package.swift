// swift-tools-version: 6.2
import PackageDescription

/// Every target is held to the same bar: Swift 6 language mode, and no warning survives a build.
///
/// Release builds leave out the checks at run time for overlapping access to memory, a sixth of the
/// instructions of a hit when that was measured. The compiler's own checks stay, and tests run with both.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let package = Package(
  name: "edgecache",
  products: [
    .library(name: "EdgeCache", targets: ["EdgeCache"]),
    .executable(name: "edge-pop", targets: ["edge-pop"]),
    .executable(name: "purge-cli", targets: ["purge-cli"]),
    .executable(name: "edge-load", targets: ["edge-load"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
  ],
  targets: [
    // The pure core: no socket, clock, thread or file. NIOCore is here for ByteBuffer alone, and the
    // other for reading Structured Fields.
    .target(
      name: "EdgeCache",
      dependencies: [
        "CBrotli",
        "CXXHash",
        "CZlib",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(
          name: "RawStructuredFieldValues", package: "swift-http-structured-headers"),
      ],
      swiftSettings: settings
    ),
    // The checksum of what is on disk.
    .systemLibrary(name: "CXXHash", providers: [.apt(["libxxhash-dev"])]),
    // Content codings, whose ends are looked for.
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CBrotli", providers: [.apt(["libbrotli-dev"])]),
    // What receipts of purges are made with.
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    // The protocol of Redis, for purges by way of one.
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    // The shell: moves bytes between sockets and the core.
    .target(
      name: "EdgePoP",
      dependencies: [
        "CDisk",
        "CEpoll",
        "EdgeCache",
        "EdgeFleet",
        "EdgeNames",
        "EdgeSocket",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings
    ),
    // The control plane: Config/pops.json, purge messages, fan-out to the fleet.
    .target(
      name: "EdgeFleet",
      dependencies: [
        "CCrypto",
        "CHiredis",
        "EdgeCache",
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: settings
    ),
    .executableTarget(
      name: "edge-pop",
      dependencies: [
        "EdgeCache",
        "EdgePoP",
        "EdgeFleet",
        "EdgeMemory",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings
    ),
    .executableTarget(
      name: "purge-cli",
      dependencies: [
        "EdgeCache",
        "EdgeFleet",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: settings
    ),
    // Declarations of the kernel's epoll.
    .systemLibrary(name: "CEpoll"),
    // Calls for files that the Glibc module leaves out.
    .systemLibrary(name: "CDisk"),
    // Sockets and the loops that wait for them. NIOCore is here for ByteBuffer alone.
    .target(
      name: "EdgeSocket",
      dependencies: [
        "CEpoll",
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      swiftSettings: settings
    ),
    // DNS, and the file of hosts.
    .systemLibrary(name: "CAres", providers: [.apt(["libc-ares-dev"])]),
    // Names and their addresses: what is known of them, and how it is asked for.
    .target(name: "EdgeNames", dependencies: ["CAres", "EdgeSocket"], swiftSettings: settings),
    .executableTarget(
      name: "edge-load",
      dependencies: [
        "CZlib",
        "EdgeSocket",
        "EdgeCache",
        "EdgeFleet",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      swiftSettings: settings
    ),
    // The process's allocator, jemalloc: what links it runs on it.
    .systemLibrary(name: "CAllocator", providers: [.apt(["libjemalloc-dev"])]),
    .target(name: "EdgeMemory", dependencies: ["CAllocator"], swiftSettings: settings),
    // What the store costs in memory: make bench-memory.
    .executableTarget(
      name: "memory-bench",
      dependencies: [
        "EdgeMemory",
        "EdgeCache",
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      path: "Benchmarks/memory",
      swiftSettings: settings
    ),
    .testTarget(
      name: "EdgeCacheTests",
      dependencies: ["EdgeCache", "EdgeMemory", "Seeds"],
      swiftSettings: settings
    ),
    .testTarget(
      name: "EdgeSocketTests",
      dependencies: [
        "EdgeSocket",
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      swiftSettings: settings
    ),
    // Random numbers that tests can have again.
    .target(name: "Seeds", path: "Tests/Seeds", swiftSettings: settings),
    // A name server that does as tests tell it.
    .target(name: "NameServer", path: "Tests/NameServer", swiftSettings: settings),
    .testTarget(
      name: "EdgeNamesTests",
      dependencies: ["EdgeNames", "EdgeSocket", "NameServer", "Seeds"],
      swiftSettings: settings
    ),
    .testTarget(
      name: "EdgeFleetTests",
      dependencies: [
        "EdgeFleet",
        "Seeds",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: settings
    ),
    .testTarget(
      name: "EdgePoPTests",
      dependencies: [
        "EdgePoP",
        "EdgeCache",
        "EdgeFleet",
        "NameServer",
        "Seeds",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings
    ),
    .testTarget(
      name: "EdgeLoadTests",
      dependencies: [
        "edge-load",
        "EdgeCache",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: settings
    ),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["EdgeFleet", "NameServer", "edge-pop", "purge-cli", "edge-load"],
      exclude: ["Servers"],
      swiftSettings: settings
    ),
  ]
)
