// The built programs as a user has them: real processes, real sockets, real servers and a real
// browser around them. One test at a time, because each of them keeps both cores of a small machine
// busy. None depends on how fast that is: deadlines are for what hangs.

import Testing

/// All tests that start processes.
@Suite(.serialized, .timeLimit(.minutes(20)))
enum EndToEnd {}
