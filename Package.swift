// swift-tools-version: 6.3
import PackageDescription

// Fuzz targets need libFuzzer and modules built for it: only `tools/fuzz` asks for them.  It is
// `all`, or `decoders` for those modules alone that decode what comes from outside: the fewer
// branches are watched, the more inputs a second.
let fuzzing = Context.environment["ISOTHERM_FUZZING"]
let sanitizers = "-sanitize=fuzzer,address"
let decoders = ["Units", "Format", "IO", "NBD"]

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

func module(_ name: String, _ dependencies: Target.Dependency...) -> Target {
    let isWatched = fuzzing == "all" || fuzzing == "decoders" && decoders.contains(name)
    return .target(
        name: name,
        dependencies: dependencies,
        swiftSettings: settings + (isWatched ? [.unsafeFlags([sanitizers])] : [])
    )
}

func tests(of name: String, _ dependencies: Target.Dependency...) -> Target {
    .testTarget(
        name: name + "Tests",
        dependencies: [.init(stringLiteral: name)] + dependencies,
        swiftSettings: settings
    )
}

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "isotherm",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        .target(name: "CLinux", cSettings: [.treatAllWarnings(as: .error)]),
        .testTarget(name: "SourceTests", swiftSettings: settings),
        module("Units"),
        tests(of: "Units"),
        module("Format", "CLinux", "Units"),
        tests(of: "Format", "Units"),
        module("IO", "CLinux", "Units"),
        tests(of: "IO", "Units"),
        module("Policy", "Units"),
        tests(of: "Policy", "Units"),
        module(
            "Catalogue",
            "Units",
            "Format",
            "IO",
            .product(name: "GRDB", package: "GRDB.swift"),
            .product(name: "GRDBSQLite", package: "GRDB.swift")
        ),
        tests(of: "Catalogue", "Units", "Format", .product(name: "GRDB", package: "GRDB.swift")),
        module("Engine", "CLinux", "Units", "Format", "IO", "Policy", "Catalogue"),
        tests(of: "Engine", "Units", "Format", "IO", "Policy", "Catalogue"),
        module("Simulation", "Units", "Format", "IO", "Catalogue", "Engine"),
        tests(of: "Simulation", "Units", "Format", "IO", "Catalogue"),
        .executableTarget(
            name: "simulate",
            dependencies: ["Simulation", argumentParser],
            swiftSettings: settings
        ),
        module("NBD", "Units", "IO", "Catalogue", "Engine"),
        tests(of: "NBD", "Units", "IO", "Catalogue", "Engine"),
        module(
            "Control",
            "Units",
            "Format",
            "IO",
            "Policy",
            "Catalogue",
            "Engine",
            "NBD",
            argumentParser,
            logging
        ),
        .executableTarget(name: "isotherm", dependencies: ["Control"], swiftSettings: settings),
        tests(of: "Control", "Units", "Format", "IO", "Policy", "Catalogue", "Engine"),
    ]
)

if fuzzing != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Units", "Format", "IO", "Catalogue", "Engine", "Simulation", "NBD", "Control",
            ],
            path: "Tests/Fuzzing",
            exclude: ["Findings"],
            swiftSettings: settings + [.unsafeFlags([sanitizers, "-parse-as-library"])],
            linkerSettings: [.unsafeFlags([sanitizers])]
        )
    )
}
