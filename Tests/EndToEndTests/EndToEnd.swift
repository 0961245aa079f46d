// The built programs as a user has them: real processes, real sockets, real servers and a real
// browser around them. One test at a time, because each of them keeps both cores of a small machine
// busy and some of them measure.

import Testing

/// All tests that start processes.
@Suite(.serialized, .timeLimit(.minutes(2)))
enum EndToEnd {}
