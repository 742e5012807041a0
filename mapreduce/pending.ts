/**
 * What waits for answers, by number.
 *
 * @module
 */

/** See the module. */
export class Pending<T> {
  readonly #waiting = new Map<number, (answer: T) => void>();
  #last = 0;

  /** The number under which `then` is to be answered, once. */
  ask(then: (answer: T) => void): number {
    this.#waiting.set(++this.#last, then);
    return this.#last;
  }

  answer(id: number, answer: T): void {
    const then = this.#waiting.get(id);
    this.#waiting.delete(id);
    then?.(answer);
  }

  /** Answers all that wait. */
  answerAll(answer: T): void {
    for (const id of this.#waiting.keys()) this.answer(id, answer);
  }

  /** No answer is waited for any more. */
  clear(): void {
    this.#waiting.clear();
  }
}
