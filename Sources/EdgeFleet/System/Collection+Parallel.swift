// One question to many PoPs: they are asked at once, and their answers read in the order of the fleet.

extension Collection where Element: Sendable {
  /// What comes of each element, all of them at once, in the order of the elements.
  public func mapInParallel<Answer: Sendable>(
    _ ask: @escaping @Sendable (Element) async -> Answer
  ) async -> [Answer] {
    await withTaskGroup(of: (place: Int, answer: Answer).self) { tasks in
      for (place, element) in enumerated() {
        tasks.addTask { (place, await ask(element)) }
      }
      var answers: [(place: Int, answer: Answer)] = []
      for await answer in tasks { answers.append(answer) }
      return answers.sorted { $0.place < $1.place }.map(\.answer)
    }
  }
}
